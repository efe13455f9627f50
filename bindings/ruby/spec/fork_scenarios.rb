# frozen_string_literal: true

# What the fork specs run, each in a process of its own: ruby fork_scenarios.rb NAME URL PREFIX ROUNDS.
#
# Forking RSpec itself would fork its endpoints and formatters with it. Every child has a watchdog in its parent: one that
# hangs is killed, and fails its scenario.

$LOAD_PATH.unshift(File.expand_path('../lib', __dir__))

require 'flagstore'
require_relative 'endpoint'

CHILD_SECONDS = 30
FLAG = '{"key":"flag","version":1}'

# Every public method is a scenario.
class ForkScenarios
  def initialize(url, prefix, rounds)
    @options = { table: TABLE, prefix: prefix, **Endpoint.new(url).options }
    @rounds = rounds
  end

  def the_child_uses_and_closes
    store = used
    rounds do
      reap(child do
        check(store)
        2.times { store.close }
      end)
      check(store) if (@round % 20).zero?
    end
    check(store)
  end

  def the_child_uses_and_closes_with_every_kind_of_store
    [{ cache_ttl_ms: -1 }, { persistent: true }, { shared: false }].each do |options|
      store = used(**options)
      reap(child do
        check(store)
        store.close
      end)
      check(store)
      store.close
    end
  end

  def the_child_exits_without_closing
    store = used
    rounds { reap(child { check(store) }, child { nil }) }
    check(store)
  end

  def the_child_exits_at_once
    store = used
    rounds do
      reap(child do
        check(store)
        exit!(0)
      end)
    end
    check(store)
  end

  def the_child_forgets_the_store
    rounds do
      stores = [used]
      reap(child do
        stores.clear
        GC.start
        opened { |own| check(own) }
      end)
      check(stores.first)
      stores.pop.close
    end
  end

  def the_child_opens_its_own
    store = used
    rounds do
      reap(child do
        opened { |equal| check(equal) }
        opened(shared: false) { |own| check(own) }
        check(store)
      end)
    end
    check(store)
  end

  def the_child_closes_first
    rounds do
      store = used
      reap(child { store.close })
      check(store)
      store.close
    end
  end

  def the_parent_closes_first
    rounds do
      store = used
      read, write = IO.pipe
      pid = child do
        write.close
        raise 'the parent has its end open' unless read.read.empty?

        check(store)
        store.close
      end
      read.close
      store.close
      write.close
      reap(pid)
    end
  end

  def a_store_that_was_never_used
    used.close
    store = opened
    rounds { reap(child { check(store) }) }
    check(store)
  end

  def three_deep
    store = used(cache_ttl_ms: -1)
    rounds { descend(store, 3) }
  end

  def many_children_at_once
    store = used
    rounds(12) do
      pids = Array.new(12) { child { check(store) } }
      check(store)
      reap(*pids)
    end
  end

  def while_eight_threads_are_in_calls
    store = used(cache_ttl_ms: 1)
    @stop = false
    turns = Array.new(8, 0)
    threads = Array.new(8) do |number|
      Thread.new do
        until @stop
          read_and_open(store, number)
          turns[number] += 1
        end
      end
    end
    rounds do
      before = turns.dup
      reap(child { check(store) })
      sleep 0.001 until turns.zip(before).all? { |now, was| now > was } || threads.none?(&:alive?)
      raise 'a fork disturbed the threads of the parent' unless threads.all?(&:alive?)
    end
    @stop = true
    threads.each(&:value)
    check(store)
  end

  def with_events
    store = used
    huge = -> { store.upsert('features', 'huge', version: 1, item: 'x' * 400_000) }
    huge.call
    rounds do
      reap(child do
        store.events
        huge.call
        raise 'no event' unless store.events.any? { |event| event.message.include?('huge') }
        raise 'errors' unless store.statistics[:errors].zero?
      end)
    end
    raise 'no event' unless store.events.any? { |event| event.message.include?('huge') }
  end

  def a_daemon
    store = used
    read, write = IO.pipe
    reap(child do
      Process.daemon(false, true)
      check(store)
      write.write('well')
    end)
    write.close
    raise 'the daemon failed' unless read.read == 'well'
  end

  private

  def opened(**options, &)
    Flagstore::Store.open(**@options, **options, &)
  end

  # A store that has connections and, with a cache, a cached item.
  def used(**options)
    store = opened(**options)
    store.upsert('features', 'flag', version: 1, item: FLAG)
    raise 'not used' unless store.get('features', 'flag').item == FLAG

    store
  end

  # Reads, misses and writes.
  def check(store)
    raise 'not the flag' unless store.get('features', 'flag').item == FLAG
    raise 'something' if store.get('features', "nothing-#{Process.pid}")

    version = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
    raise 'not written' unless store.upsert('others', "of-#{Process.pid}", version: version, item: 'payload').written?
    raise 'not all' unless store.all('features').keys == ['flag']
    raise 'not available' unless store.available?
  end

  def read_and_open(store, number)
    raise 'not the flag' unless store.get('features', 'flag').item == FLAG
    raise 'something' if store.get('features', "nothing-#{number}")

    opened(shared: number.even?) { |another| another.get('features', 'flag') || raise('no flag') }
  end

  def descend(store, depth)
    check(store)
    return if depth.zero?

    reap(child { descend(store, depth - 1) })
    check(store) if (@round % 20).zero?
  end

  # Repeats the block, and looks whether this process has kept anything of it.
  def rounds(count = @rounds)
    (0...count).each do |round|
      @round = round
      yield
      @open_files = open_files if round == 9
    end
    raise "#{open_files} open files, after #{@open_files}" if @open_files && open_files > @open_files + 8
  end

  def open_files
    Dir.children('/proc/self/fd').length
  end

  # Forks; the child ends as Ruby does, with its finalisers.
  def child
    fork do
      yield
    rescue StandardError => e
      warn e.full_message
      exit!(1)
    end
  end

  def reap(*pids)
    pids.map { |pid| [pid, Process.detach(pid)] }.each do |pid, waiter|
      unless waiter.join(CHILD_SECONDS)
        Process.kill('KILL', pid)
        raise "child #{pid} hung in round #{@round}"
      end
      raise "child #{pid} ended with #{waiter.value} in round #{@round}" unless waiter.value.success?
    end
  end
end

if $PROGRAM_NAME == __FILE__
  name, url, prefix, rounds = ARGV
  ForkScenarios.new(url, prefix, Integer(rounds)).public_send(name)
end
