# frozen_string_literal: true

require 'timeout'

# What happens to a call that waits for DynamoDB when somebody does not want to wait any more, and to everybody else.
RSpec.describe Flagstore::Store do
  let(:faults) { Endpoint.faults }
  let(:held) { open_store(endpoint: faults.url, shared: false, **deadlines) }
  let(:deadlines) { { timeout_ms: 20_000, attempt_timeout_ms: 20_000, all_timeout_ms: 20_000 } }

  after { faults.reset }

  def resident_kilobytes
    File.read('/proc/self/status')[/^VmRSS:\s+(\d+)/, 1].to_i
  end

  # A thread whose call is at the endpoint and gets no answer.
  def waiting(store, call = ->(one) { one.get('features', 'flag') })
    faults.reset
    faults.script({ do: 'hold' })
    thread = Thread.new { call.call(store) }
    thread.report_on_exception = false
    faults.wait_for('hold')
    thread
  end

  {
    get: ->(store) { store.get('features', 'flag') },
    all: ->(store) { store.all('features') },
    upsert: ->(store) { store.upsert('features', 'flag', version: 2, item: '{}') },
    delete: ->(store) { store.delete('features', 'flag', version: 2) },
    init: ->(store) { store.init('features' => []) },
    init_json: ->(store) { store.init_json('{"flags":{}}') },
    initialized?: lambda(&:initialized?),
    available?: lambda(&:available?),
    big_segments_metadata: lambda(&:big_segments_metadata),
    big_segments_membership: ->(store) { store.big_segments_membership('hash') }
  }.each do |name, call|
    it "lets other threads run while #{name} waits" do
      thread = waiting(held, call)
      # This thread has just talked to the endpoint, and the call has still not ended.
      expect(thread).to be_alive
      turns = Array.new(2) { Thread.new { Array.new(1000) { Thread.pass }.length } }.map(&:value)
      expect(turns).to eq [1000, 1000]
      expect(thread).to be_alive
      faults.reset
      expect(thread.join(30)).to be thread
      thread.value
    end
  end

  it 'lets the garbage collector run, and compact, while a call waits' do
    held.upsert('features', 'flag', version: 1, item: 'payload')
    thread = waiting(held)
    GC.start
    GC.compact if GC.respond_to?(:compact)
    Array.new(100_000) { 'garbage' * 3 }
    GC.start
    faults.release
    expect(thread.value.item).to eq 'payload'
  end

  it 'ends a killed thread when its call ends, and frees what the call brought' do
    payload = 'x' * 300_000
    held.upsert('features', 'flag', version: 1, item: payload)
    kill = lambda do |_number|
      thread = waiting(held)
      thread.kill
      Thread.pass
      expect(thread).to be_alive
      faults.release
      expect(thread.join(30)&.value).to be_nil
    end
    20.times(&kill)
    GC.start
    before = resident_kilobytes
    # 60 MB, if it were not freed.
    200.times(&kill)
    GC.start
    expect(resident_kilobytes - before).to be < 25_000
    faults.reset
    expect(held.get('features', 'flag').item).to eq payload
  end

  it 'ends a killed thread at the deadline of its call' do
    store = open_store(endpoint: faults.url, shared: false, timeout_ms: 400)
    thread = waiting(store)
    thread.kill
    expect(thread.join(10)).to be thread
    faults.reset
    expect(store.get('features', 'flag')).to be_nil
  end

  it 'raises what Timeout raises when the call is over' do
    store = open_store(endpoint: faults.url, shared: false, timeout_ms: 400)
    faults.script({ do: 'hold' })
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    expect { Timeout.timeout(0.05) { store.get('features', 'flag') } }.to raise_error(Timeout::Error)
    expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).to be_between(0.35, 10)
    faults.reset
    expect(store.get('features', 'flag')).to be_nil
  end

  it 'is not disturbed by timeouts at any moment' do
    store.upsert('features', 'flag', version: 1, item: 'payload')
    outcomes = Array.new(500) do |number|
      Timeout.timeout(0.000_2 * (number % 10)) { store.get('features', 'flag').item }
    rescue Timeout::Error
      :late
    end
    expect(outcomes.uniq - [:late]).to eq ['payload']
    expect(store.get('features', 'flag').item).to eq 'payload'
  end

  it "runs signal handlers between calls, which may use the store, on Ruby's main thread" do
    store.upsert('features', 'flag', version: 1, item: 'payload')
    seen = []
    before = trap('USR1') { seen << [Thread.current == Thread.main, store.get('features', 'flag').item] }
    sender = Thread.new do
      100.times do
        Process.kill('USR1', Process.pid)
        sleep 0.001
      end
    end
    sender.join(0) until store.get('features', 'flag').item != 'payload' || !sender.alive?
    expect(seen.length).to be_between(1, 100)
    expect(seen.uniq).to eq [[true, 'payload']]
  ensure
    sender&.join
    trap('USR1', before || 'DEFAULT')
  end

  it 'survives signal handlers that raise' do
    payload = 'x' * 300_000
    held.upsert('features', 'flag', version: 1, item: payload)
    stop = Class.new(StandardError)
    before = trap('USR1') { raise stop }
    faults.script({ do: 'hold' })
    5.times do |number|
      sender = Thread.new do
        faults.wait_for('hold', count: number + 1)
        Process.kill('USR1', Process.pid)
        faults.release
      end
      expect { held.get('features', 'flag') && sleep(10) }.to raise_error(stop)
      sender.join
    end
    faults.reset
    expect(held.get('features', 'flag').item).to eq payload
  ensure
    trap('USR1', before || 'DEFAULT')
  end
end
