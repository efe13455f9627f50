# frozen_string_literal: true

# A fiber scheduler, no more than what a test takes: fibers run in turns until what they wait for is there.
class Turns
  def initialize
    @reading = {}
    @sleeping = {}
    @ready = []
    @lock = Mutex.new
    @woken, @waker = IO.pipe
  end

  def fiber(&)
    Fiber.new(blocking: false, &).tap(&:resume)
  end

  def io_wait(io, events, _timeout)
    # What is connected or written to is not long in coming; newer Rubies wait for a connection to be readable as well.
    return IO::WRITABLE if events.anybits?(IO::WRITABLE)

    @reading[Fiber.current] = io
    Fiber.yield
    events
  ensure
    @reading.delete(Fiber.current)
  end

  def kernel_sleep(seconds = nil)
    block(nil, seconds)
  end

  def block(_blocker, timeout = nil)
    @sleeping[Fiber.current] = timeout && (now + timeout)
    Fiber.yield
  ensure
    @sleeping.delete(Fiber.current)
  end

  # From any thread.
  def unblock(_blocker, fiber)
    @lock.synchronize { @ready << fiber }
    @waker.write_nonblock('.', exception: false)
  end

  def close
    turn until @reading.empty? && @sleeping.empty? && @ready.empty?
    [@woken, @waker].each(&:close)
  end

  private

  def turn
    readable, = IO.select([@woken, *@reading.values], nil, nil, patience)
    @woken.read_nonblock(100, exception: false) if readable&.include?(@woken)
    due = @lock.synchronize { @ready.shift(@ready.length) }
    due += @reading.select { |_fiber, io| readable&.include?(io) }.keys
    due += @sleeping.select { |_fiber, at| at && at <= now }.keys
    due.uniq.each { |fiber| fiber.resume if fiber.alive? }
  end

  def patience
    at = @sleeping.values.compact.min
    at && [at - now, 0].max
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
