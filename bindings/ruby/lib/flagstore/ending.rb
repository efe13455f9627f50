# frozen_string_literal: true

require 'io/wait'

require_relative 'error'
require_relative 'library'

module Flagstore
  # Where a call ends that waits for DynamoDB: a completion queue of the library, and a pipe that becomes readable when the
  # call is over.
  #
  # So a call waits as Ruby waits for any IO: other threads run, a fiber scheduler runs other fibers, and what interrupts a
  # thread (+Timeout+, +Thread#kill+, a signal, the end of the process) interrupts the call, which is cancelled.
  #
  # @api private
  class Ending
    # This many are kept for calls to come: making one costs a pipe, and each has two descriptors.
    KEPT = 32
    # How long the end of a call that was cancelled is waited for, in milliseconds. It comes at once.
    PATIENCE_MS = 200
    private_constant :KEPT, :PATIENCE_MS

    @idle = []

    class << self
      # @return [Ending] one that no other call uses
      def take(library)
        while (ending = @idle.pop)
          # Those of the parent of a forked child tell the parent.
          return ending if ending.usable?(library)
        end
        new(library)
      end

      def keep(ending)
        @idle.push(ending) if @idle.length < KEPT
      end

      # What a forgotten one holds.
      def closing(native, queue, result, process)
        proc do
          if process == Process.pid
            native.store_completions_close(queue, nil)
            native.store_result_free(result.read_pointer)
          end
        end
      end
    end

    # @return [Integer] the queue
    attr_reader :queue

    # @return [FFI::Pointer] where the number of the call is written to
    attr_reader :call

    def initialize(library)
      @library = library
      @native = library.native
      @process = Process.pid
      @call = FFI::MemoryPointer.new(:uint64)
      @result = FFI::MemoryPointer.new(:pointer)
      @user_data = FFI::MemoryPointer.new(:pointer)
      library.call(:store_completions_open, @call)
      @queue = @call.read_uint64
      @call.write_uint64(0)
      ObjectSpace.define_finalizer(self, self.class.closing(@native, @queue, @result, @process))
      @readable = notified
    end

    def usable?(library)
      @library.equal?(library) && @process == Process.pid
    end

    # Waits until the call is over that was begun.
    #
    # @return [FFI::Pointer] its result
    # @raise [Error] a fiber scheduler gave up waiting without raising anything, as that of async 1 does after a timeout
    def wait
      until next_result?(0)
        unless @readable.wait_readable
          raise Error.own('STORE_CANCELLED', 'the fiber scheduler gave up waiting for the call, which was cancelled')
        end

        @readable.read_nonblock(8, exception: false)
      end
      result
    end

    # Ends the call if it is not over.
    #
    # @return [Boolean] whether that was so
    def cancel
      return false if @call.read_uint64.zero? || !result.null?

      @native.store_cancel(@call.read_uint64, nil)
      true
    end

    # The result of a call that was cancelled, or nil if it does not come.
    def cancelled
      result if next_result?(PATIENCE_MS)
    end

    # Frees what the call brought. What is not over is forgotten, and with it the queue.
    def finish
      over = @call.read_uint64.zero? || !result.null?
      freed = result
      @result.write_pointer(nil)
      @call.write_uint64(0)
      @native.store_result_free(freed)
      over ? self.class.keep(self) : close
    end

    private

    def result
      @result.read_pointer
    end

    def next_result?(patience)
      function = patience.zero? ? :store_completions_next : :store_completions_wait
      @native.public_send(function, @queue, patience, @user_data, @result, nil) == Library::OK
    end

    # The end of a pipe that the queue writes to. The library writes to a copy of the other end.
    def notified
      readable, written = IO.pipe
      @library.call(:store_completions_notify, @queue, written.fileno)
      readable
    ensure
      written&.close
    end

    def close
      ObjectSpace.undefine_finalizer(self)
      @native.store_completions_close(@queue, nil)
      @readable.close
    end
  end
end
