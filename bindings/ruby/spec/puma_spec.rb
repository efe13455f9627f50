# frozen_string_literal: true

require 'English'
require 'net/http'

require_relative 'sdk'

# Puma in cluster mode with preload_app!: its workers use what was opened, and used, before they were forked.
RSpec.describe 'Puma' do
  flags = 50
  clients = 8

  before(:context) do
    skip 'Puma is not installed' unless ENV['PATH'].split(':').any? { |folder| File.executable?("#{folder}/puma") }
  end

  let(:faults) { Endpoint.faults }

  before do
    items = Array.new(flags) do |number|
      payload = { key: "flag-#{number}", version: 1, on: false, offVariation: 0, variations: ["value-#{number}"], salt: '',
                  rules: [] }
      Flagstore::Item.new(key: payload[:key], version: 1, item: JSON.generate(payload))
    end
    store.init('features' => items, 'segments' => [])
    faults.reset
    feature_store = { table: TABLE, prefix: prefix, options: { timeout_ms: 2000 },
                      dynamodb_opts: { **endpoint.dynamodb_opts, endpoint: faults.url } }
    environment = { 'FEATURE_STORE' => JSON.generate(feature_store) }
    @puma = IO.popen([environment, 'puma', '-C', 'puma.rb', 'config.ru', { chdir: "#{__dir__}/puma", err: %i[child out] }])
    @output = +''
    until_said(/Listening on http:\S+:(\d+)/) { |port| @port = Integer(port) }
    until_said(/Worker 2 \(PID: \d+\) booted/)
  end

  after do
    next unless @puma

    Process.kill('KILL', @puma.pid) unless @puma.closed?
    faults.reset
  end

  # Reads what Puma prints until a line matches.
  def until_said(pattern)
    loop do
      line = @puma.gets or raise "Puma ended: #{@output}"
      @output << line
      return yield(*Regexp.last_match.captures) if line.match(pattern) && block_given?
      return if line.match?(pattern)
    end
  end

  # A connection for each request: what Puma has accepted it answers, also while it restarts.
  def get(path)
    answer = Net::HTTP.start('127.0.0.1', @port, open_timeout: 60, read_timeout: 60) do |http|
      http.get(path, 'Connection' => 'close')
    end
    [answer.code.to_i, answer.body]
  end

  # Asks for flags from many threads; gives each answer with the number of its flag.
  define_method(:ask) do |count|
    Array.new(clients) do |client|
      Thread.new { Array.new(count / clients) { |turn| [(turn + client) % flags, get("/flag/#{(turn + client) % flags}")] } }
    end.flat_map(&:value)
  end

  def expect_all_right(answers)
    wrong = answers.reject { |number, answer| answer == [200, "value-#{number}"] }
    expect(wrong).to be_empty, "#{wrong.length} of #{answers.length} wrong, such as #{wrong.first}"
  end

  # What each worker says of itself, by process.
  define_method(:states) do |count = 3|
    seen = {}
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
    until seen.length == count
      raise "only #{seen.keys} answer" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      Array.new(clients) { Thread.new { JSON.parse(get('/state').last) } }.each do |thread|
        state = thread.value
        seen[state['pid']] = state
      end
    end
    seen
  end

  # Waits until the condition holds.
  def eventually
    deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 60
    until yield
      raise 'it never came' if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

      sleep 0.05
    end
  end

  def stop
    Process.kill('TERM', @puma.pid)
    @output << @puma.read
    @puma.close
    expect($CHILD_STATUS.exitstatus).to eq(0), @output
    expect(@output).not_to match(/\[BUG\]|Error|force|terminat(ed|ing) .*worker/i)
  end

  it 'serves from every worker, keeps nothing, and ends in order' do
    expect_all_right(ask(800))
    before = states
    expect(before.values.map { |state| state['master'] }.uniq).to eq [@puma.pid]
    expect_all_right(ask(1600))
    after = states
    expect(after.keys).to match_array before.keys
    before.each do |pid, state|
      expect(after[pid]['open_files']).to be <= state['open_files'] + 16
      expect(after[pid]['threads']).to be <= state['threads'] + 2
    end
    stop
    before.each_key { |pid| expect(File.exist?("/proc/#{pid}")).to be false }
  end

  it 'survives an endpoint that fails for a while' do
    expect_all_right(ask(200))
    before = states.keys
    [['black_hole', 16], [{ do: 'refuse', type: 'AccessDeniedException' }, 400]].each do |action, count|
      faults.script({ do: action })
      expect(ask(count).map { |_number, answer| answer.first }.uniq).to eq [503]
    end
    faults.reset
    expect_all_right(ask(400))
    expect(states.keys).to match_array before
    stop
  end

  it 'replaces a worker that was killed' do
    expect_all_right(ask(200))
    before = states
    Process.kill('KILL', before.keys.first)
    eventually { !File.exist?("/proc/#{before.keys.first}") }
    expect_all_right(ask(200))
    eventually { (states.keys - before.keys).length == 1 }
    expect_all_right(ask(400))
    stop
  end

  it 'answers every request while it restarts' do
    boots = states.values.map { |state| state['boot'] }.uniq
    expect(boots.length).to eq 1
    load = Thread.new { ask(1600) }
    Process.kill('USR2', @puma.pid)
    reader = Thread.new { until_said(/Worker 2 \(PID: \d+\) booted/) }
    expect_all_right(load.value)
    reader.value
    eventually { (states.values.map { |state| state['boot'] } & boots).empty? }
    expect_all_right(ask(400))
    stop
  end
end
