# frozen_string_literal: true

require 'logger'
require 'stringio'
require 'timeout'

require_relative 'turns'

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

  def ends_at_once(thread)
    # The deadline of its call is 20 s away.
    expect(thread.join(10)).to be thread
  end

  it 'ends a killed thread at once, and its call' do
    thread = waiting(held)
    thread.kill
    ends_at_once(thread)
    faults.reset
    held.upsert('features', 'flag', version: 1, item: 'payload')
    expect(held.get('features', 'flag').item).to eq 'payload'
  end

  it 'loses nothing of what killed calls brought' do
    payload = 'x' * 300_000
    held.upsert('features', 'flag', version: 1, item: payload)
    kill = lambda do |_number|
      thread = waiting(held)
      faults.release
      thread.kill
      ends_at_once(thread)
    end
    20.times(&kill)
    GC.start
    before = [resident_kilobytes, Dir.children('/proc/self/fd').length]
    # 60 MB, if it were not freed.
    200.times(&kill)
    GC.start
    expect(resident_kilobytes - before.first).to be < 25_000
    expect(Dir.children('/proc/self/fd').length - before.last).to be < 40
    faults.reset
    expect(held.get('features', 'flag').item).to eq payload
  end

  it 'raises what Timeout raises at its time' do
    faults.script({ do: 'hold' })
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    expect { Timeout.timeout(0.1) { held.get('features', 'flag') } }.to raise_error(Timeout::Error)
    expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).to be < 10
    faults.reset
    expect(held.get('features', 'flag')).to be_nil
  end

  it 'raises what another thread raises in it' do
    thread = waiting(held)
    thread.raise(IOError, 'enough')
    expect { thread.join(10) }.to raise_error(IOError, 'enough')
  end

  it 'stops an init that is interrupted, at the next write, and says what it had done' do
    logged = StringIO.new
    one = open_store(endpoint: faults.url, shared: false, write_concurrency: 1, logger: Logger.new(logged), **deadlines)
    items = Array.new(20) { |number| Flagstore::Item.new(key: "flag-#{number}", version: 1, item: '{}') }
    faults.script({ operation: 'PutItem', do: 'hold' })
    thread = Thread.new { one.init('features' => items) }
    thread.report_on_exception = false
    faults.wait_for('hold')
    thread.raise(IOError, 'enough')
    expect { thread.join(10) }.to raise_error(IOError, 'enough')
    faults.reset
    expect(logged.string).to match(/an init of the table "flags" was stopped: \{.*"written":0/)
    expect(store.all('features').length).to be <= 1
    expect(store.initialized?).to be false
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
      end
      expect { held.get('features', 'flag') }.to raise_error(stop)
      sender.join
    end
    faults.reset
    expect(held.get('features', 'flag').item).to eq payload
  ensure
    trap('USR1', before || 'DEFAULT')
  end

  it 'runs signal handlers while a call waits, which may use the store' do
    other = open_store
    other.upsert('features', 'flag', version: 1, item: 'payload')
    seen = Queue.new
    before = trap('USR1') { seen << other.get('features', 'flag').item }
    faults.script({ do: 'hold' })
    sender = Thread.new do
      faults.wait_for('hold')
      Process.kill('USR1', Process.pid)
      seen.pop.tap { faults.reset }
    end
    expect(held.get('features', 'flag').item).to eq 'payload'
    expect(sender.value).to eq 'payload'
  ensure
    trap('USR1', before || 'DEFAULT')
  end

  describe 'in a fiber scheduler' do
    def in_turns
      thread = Thread.new do
        Fiber.set_scheduler(Turns.new)
        yield
      end
      thread.report_on_exception = false
      expect(thread.join(60)).to be thread
    end

    it 'lets other fibers run while calls wait, each with its own answer' do
      20.times { |number| held.upsert('features', "flag-#{number}", version: 1, item: number.to_s) }
      faults.script({ do: 'hold' })
      answers = []
      in_turns do
        20.times { |number| Fiber.schedule { answers << [number, held.get('features', "flag-#{number}").item] } }
        Fiber.schedule do
          # They are all at the endpoint, and this fiber has its turn.
          faults.wait_for('hold', count: 20)
          expect(answers).to be_empty
          faults.reset
        end
      end
      expect(answers.sort).to eq(Array.new(20) { |number| [number, number.to_s] })
    end

    it 'ends the call of a fiber in which something is raised' do
      faults.script({ do: 'hold' })
      outcome = nil
      in_turns do
        reader = Fiber.schedule do
          held.get('features', 'flag')
        rescue IOError => e
          outcome = e.message
        end
        Fiber.schedule do
          faults.wait_for('hold')
          reader.raise(IOError, 'enough')
        end
      end
      expect(outcome).to eq 'enough'
    end
  end
end
