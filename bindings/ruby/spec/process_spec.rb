# frozen_string_literal: true

require 'open3'
require 'rbconfig'

# The library as a guest: the process's output and exit stay its own.
RSpec.describe 'the process' do
  # Runs Ruby with +open+, which opens a store on the example's prefix.
  def run(code, **options)
    options = { table: TABLE, prefix: prefix, **endpoint.options, **options }
    program = "require 'flagstore'; def open(**more) = Flagstore::Store.open(**#{options.inspect}, **more)\n#{code}"
    output, status = Open3.capture2e(RbConfig.ruby, '-w', '-I', File.expand_path('../lib', __dir__), '-e', program)
    [output, status.exitstatus]
  end

  it 'exits while threads are inside calls' do
    code = <<~RUBY
      store = open
      store.upsert('features', 'flag', version: 1, item: 'payload')
      started = Queue.new
      16.times { Thread.new { started << 1; loop { store.get('features', 'flag') } } }
      16.times { started.pop }
    RUBY
    5.times { expect(run(code)).to eq ['', 0] }
  end

  it 'exits at once while calls wait' do
    code = <<~RUBY
      store = open
      Thread.new { store.get('features', 'flag') }
      sleep 0.01 until store.statistics[:requests] > 0
    RUBY
    expect_to_end_early(code, ['', 0])
  end

  { 'TERM' => 'SIGTERM', 'INT' => 'Interrupt' }.each do |signal, said|
    it "is ended by SIG#{signal} during an init that waits" do
      code = <<~RUBY
        store = open
        Thread.new do
          sleep 0.01 until store.statistics[:requests] > 0
          Process.kill(#{signal.inspect}, Process.pid)
        end
        store.init('features' => [])
      RUBY
      expect_to_end_early(code, [signal == 'INT' ? /#{said}/ : '', nil])
    end
  end

  # Nobody answers, and every deadline is minutes away.
  def expect_to_end_early(code, ending)
    faults = Endpoint.faults
    faults.script({ do: 'black_hole' })
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    patient = %i[timeout_ms init_timeout_ms attempt_timeout_ms all_timeout_ms].to_h { |name| [name, 120_000] }
    expect(run(code, endpoint: faults.url, **patient)).to match ending
    expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).to be < 60
  ensure
    faults.reset
  end

  it 'prints nothing that it was not told to' do
    code = <<~RUBY
      store = open
      store.upsert('features', 'huge', version: 1, item: 'x' * 400_000)
      store.init('features' => [Flagstore::Item.new(key: 'flag', version: 1, item: 'payload')])
      store.all('features').empty? && abort
      Flagstore::Store.open(table: 'none', endpoint: 'http://127.0.0.1:1', region: 'a', timeout_ms: 100).available?
    RUBY
    expect(run(code)).to eq ['', 0]
  end

  it 'keeps its signals to itself' do
    code = <<~RUBY
      # The C library takes a signal of its own at the first thread.
      Thread.new { nil }.join
      before = File.read('/proc/self/status')[/^SigCgt:.*/]
      open.get('features', 'flag')
      print 'other handlers' unless File.read('/proc/self/status')[/^SigCgt:.*/] == before
      # A thread has its own name from when it runs, which may be after the answer.
      ours = []
      500.times do
        threads = Dir['/proc/self/task/*/status'].map { |file| File.read(file) }
        ours = threads.select { |text| text[/^Name:\\s+(.*)/, 1].start_with?('flagstore') }
        break if ours.length == 2
        sleep 0.01
      end
      print ours.length, ' threads' unless ours.length == 2
      %w[HUP INT QUIT USR1 USR2 PIPE ALRM TERM CHLD VTALRM].each do |name|
        bit = Signal.list.fetch(name) - 1
        print name, ' unmasked ' unless ours.all? { |text| text[/^SigBlk:\\s+(\\h+)/, 1].hex[bit] == 1 }
      end
    RUBY
    expect(run(code)).to eq ['', 0]
  end
end
