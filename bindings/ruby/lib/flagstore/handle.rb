# frozen_string_literal: true

require_relative 'ending'
require_relative 'library'

module Flagstore
  # The number of an open store, and calls on it.
  #
  # @api private
  class Handle
    # @return [Integer] zero, which is never a store, after {#close}: the number of a closed one comes round again after many
    #   thousands
    attr_reader :number

    # @param options [String] a JSON object
    def initialize(library, options)
      @library = library
      @native = library.native
      number = FFI::MemoryPointer.new(:uint64)
      library.call(:store_open, options, options.bytesize, number)
      @number = number.read_uint64
      @starting = Mutex.new
    end

    # Makes a call that does not wait. Parameters, yields and errors as for {Library#call}.
    def call(function, *arguments, place: nil, &take)
      @library.call(function, @number, *arguments, place: place, &take)
    end

    # Makes an asynchronous call and waits until it is over. What interrupts the thread or fiber meanwhile cancels the call.
    #
    # @param stopped [Proc, nil] is given the result of a call that was cancelled so
    # @yieldparam result [FFI::Pointer] what to take from, freed after the block
    # @yieldparam code [Integer]
    # @return [Object] what the block returns, or the outcome
    # @raise [Error]
    def ask(function, *arguments, stopped: nil)
      error = FFI::MemoryPointer.new(Library::ERROR_SIZE)
      Thread.handle_interrupt(Library::AFTERWARDS) do
        ending = Ending.take(@library)
        begin_call(function, arguments, ending, error)
        result = Thread.handle_interrupt(Library::AT_ONCE) { ending.wait }
        code = @library.outcome(result, error)
        block_given? ? yield(result, code) : code
      ensure
        stop(ending, stopped) if ending
      end
    end

    # Closes it. Once only.
    def close
      number = @number
      @number = 0
      @native.store_close(number, nil)
    end

    private

    def begin_call(function, arguments, ending, error)
      code = ending_in(ending.queue) do
        @native.public_send(function, @number, *arguments, nil, nil, ending.call, error)
      end
      return if code >= Library::OK

      ending.call.write_uint64(0)
      raise @library.failure(code, error)
    end

    # Names the queue where the call ends that the block begins. Nobody else names another meanwhile, but for a signal's
    # handler on this very thread, which may not wait for a lock and puts things back in order.
    def ending_in(queue)
      nested = @starting.owned?
      Thread.pass until nested || @starting.try_lock
      before = @named
      name(queue)
      yield
    ensure
      name(before) if nested && before
      @starting.unlock if !nested && @starting.owned?
    end

    def name(queue)
      @named = queue
      @native.store_complete_to(@number, queue, nil)
    end

    def stop(ending, stopped)
      if ending.cancel && stopped
        result = ending.cancelled
        stopped.call(result) if result
      end
    ensure
      ending.finish
    end
  end
end
