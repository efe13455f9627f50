# frozen_string_literal: true

require 'ffi'

require_relative 'error'

module Flagstore
  # Finds +libflagstore+, checks its ABI and declares its functions, under their own names; what they mean is documented
  # in +flagstore.h+.
  #
  # @api private
  class Library
    ABI = 1
    VARIABLE = 'FLAGSTORE_LIBRARY'
    PACKAGED = File.expand_path('libflagstore.so', __dir__)
    INSTALLED = "libflagstore.so.#{ABI}".freeze

    OK = 0
    NOT_FOUND = 1
    NEWER_EXISTS = 2
    TOO_LARGE = 3
    INVALID_HANDLE = -5

    # The structs of the ABI, for String#unpack and Array#pack, with their sizes.
    #
    # +store_error+: code, retriable, message
    ERROR = 'llJ'
    ERROR_SIZE = 16
    # +store_item+: key, key_len, item, item_len, version, deleted, stale, owner
    ITEM = 'JJJJqllJ'
    ITEM_SIZE = 56
    # +store_collection+: kind, kind_len, items, items_len
    COLLECTION = 'JJJJ'
    COLLECTION_SIZE = 32

    TEXT = %i[pointer size_t].freeze

    # Every function that the package uses: arguments and result.
    FUNCTIONS = {
      store_abi_version: [[], :uint32],
      store_version: [[], :string],
      store_code_name: [[:int32], :string],
      store_open: [[*TEXT, :pointer, :pointer], :int32],
      store_close: [%i[uint64 pointer], :int32],
      store_init: [%i[uint64 pointer size_t pointer pointer], :int32],
      store_init_json: [[:uint64, *TEXT, :pointer, :pointer], :int32],
      store_get: [[:uint64, *TEXT, *TEXT, :pointer, :pointer], :int32],
      store_get_all: [[:uint64, *TEXT, :pointer, :pointer], :int32],
      store_items_view: [%i[pointer pointer pointer pointer], :int32],
      store_upsert: [[:uint64, *TEXT, *TEXT, :int64, :int32, *TEXT, :pointer, :pointer], :int32],
      store_initialized: [%i[uint64 pointer pointer], :int32],
      store_available: [%i[uint64 pointer], :int32],
      store_big_segments_metadata: [%i[uint64 pointer pointer], :int32],
      store_big_segments_membership: [[:uint64, *TEXT, :pointer, :pointer], :int32],
      store_membership_count: [[:pointer], :size_t],
      store_membership_entry: [%i[pointer size_t pointer pointer pointer pointer], :int32],
      store_statistics: [%i[uint64 pointer pointer], :int32],
      store_clear_cache: [%i[uint64 pointer], :int32],
      store_next_event: [%i[uint64 pointer pointer pointer], :int32],
      store_error_free: [[:pointer], :void],
      store_item_free: [[:pointer], :void],
      store_items_free: [[:pointer], :void],
      store_membership_free: [[:pointer], :void],
      store_string_free: [[:pointer], :void]
    }.freeze

    # Those that may wait for DynamoDB: other Ruby threads run meanwhile.
    BLOCKING = %i[
      store_init store_init_json store_get store_get_all store_upsert store_initialized store_available
      store_big_segments_metadata store_big_segments_membership
    ].freeze

    # +Thread#kill+, +Thread#raise+ and +Timeout+ take effect after a call, when its result has been copied and freed. The
    # library writes to memory of this process until it returns, so nothing is gained by an earlier unwinding, which would
    # go through the frames of the ffi gem, or strike between the end of the call and the freeing.
    AFTERWARDS = { Object => :never }.freeze

    LOADING = Mutex.new
    private_constant :LOADING

    class << self
      # The library, loaded at the first use and kept.
      #
      # Looked for in this order: the file that +FLAGSTORE_LIBRARY+ names, the copy inside this package, the system. The
      # first one that is there is taken; if it cannot be used, the others are not tried.
      #
      # @return [Library]
      # @raise [LibraryError] it is not there, cannot be loaded, or has another ABI
      def load
        @load || LOADING.synchronize { @load ||= find }
      end

      private

      def find
        named = ENV[VARIABLE].to_s
        return new(checked(named)) unless named.empty?
        return new(PACKAGED) if File.file?(PACKAGED)

        begin
          new(INSTALLED)
        rescue LibraryError => e
          raise LibraryError, "libflagstore was not found: #{VARIABLE} is not set, #{PACKAGED} is not there, " \
                              "and the system says: #{e.message}", cause: nil
        end
      end

      def checked(named)
        return File.expand_path(named) if File.file?(named)

        raise LibraryError, "#{VARIABLE} is #{named.inspect}, and there is no such file: correct it or unset it"
      end
    end

    # @return [String] the file, or the name that the system knows it by
    attr_reader :path

    # @return [Module] the functions of the library
    attr_reader :native

    def initialize(path)
      @path = path
      @native = Module.new
      declare(FFI::DynamicLibrary.open(path, FFI::DynamicLibrary::RTLD_NOW | FFI::DynamicLibrary::RTLD_LOCAL))
    rescue LibraryError
      raise
    rescue LoadError => e
      raise LibraryError, "#{path} cannot be used as libflagstore: #{e.message}", cause: nil
    end

    # @return [String]
    def version
      @native.store_version
    end

    # The name of a number, such as +"STORE_ERROR_TIMEOUT"+.
    def code_name(code)
      @native.store_code_name(code)
    end

    # Calls a function with these arguments and a +store_error+ behind them.
    #
    # @param place [Place, nil] where the function writes its result; freed before this returns
    # @yieldparam code [Integer] the outcome; the block takes the result
    # @return [Object] what the block returns, or the outcome
    # @raise [Error] the function returned an error
    def call(function, *arguments, place: nil)
      error = FFI::MemoryPointer.new(ERROR_SIZE)
      Thread.handle_interrupt(AFTERWARDS) do
        code = @native.public_send(function, *arguments, error)
        raise failure(code, error) if code < OK

        block_given? ? yield(code) : code
      ensure
        # Here, since a signal's handler can raise in the middle of the call.
        place&.free
      end
    end

    # Text that the library points to.
    #
    # @return [String] frozen, UTF-8
    def self.text(address, length)
      FFI::Pointer.new(address).get_bytes(0, length).force_encoding(Encoding::UTF_8).freeze
    end

    private

    def declare(library)
      # The number first: another ABI may lack what is declared here.
      number, *others = FUNCTIONS.keys
      bind(library, number)
      unless @native.store_abi_version == ABI
        raise LibraryError, "#{path} has ABI #{@native.store_abi_version}, this package needs ABI #{ABI}: " \
                            'install versions that match'
      end

      others.each { |name| bind(library, name) }
    end

    def bind(library, name)
      symbol = library.find_function(name.to_s)
      raise LibraryError, "#{path} cannot be used as libflagstore: it has no function #{name}" unless symbol

      arguments, result = FUNCTIONS.fetch(name)
      types = arguments.map { |type| FFI.find_type(type) }
      function = FFI::Function.new(FFI.find_type(result), types, symbol, blocking: BLOCKING.include?(name))
      function.attach(@native, name.to_s)
    end

    def failure(code, error)
      _code, retriable, address = error.get_bytes(0, ERROR_SIZE).unpack(ERROR)
      message = address.zero? ? '' : FFI::Pointer.new(address).read_string.force_encoding(Encoding::UTF_8)
      Error.of(code, code_name(code), message, retriable == 1)
    ensure
      @native.store_error_free(error)
    end
  end
end
