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
    # What the library's file is called here, in the gem and in the system.
    NAME, INSTALLED =
      case FFI::Platform::OS
      when 'darwin' then %w[libflagstore.dylib libflagstore.dylib]
      when 'windows' then %w[flagstore.dll flagstore.dll]
      else ['libflagstore.so', "libflagstore.so.#{ABI}"]
      end
    PACKAGED = File.expand_path(NAME, __dir__)

    OK = 0
    NOT_FOUND = 1
    NEWER_EXISTS = 2
    TOO_LARGE = 3
    NOT_CACHED = 4
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
    # What every asynchronous function takes behind its own arguments: done, user_data, call, error.
    ENDING = %i[pointer pointer pointer pointer].freeze

    # Every function that the package uses: arguments and result.
    FUNCTIONS = {
      store_abi_version: [[], :uint32],
      store_version: [[], :string],
      store_code_name: [[:int32], :string],
      store_open: [[*TEXT, :pointer, :pointer], :int32],
      store_close: [%i[uint64 pointer], :int32],
      store_get_cached: [[:uint64, *TEXT, *TEXT, :pointer, :pointer], :int32],
      store_items_view: [%i[pointer pointer pointer pointer], :int32],
      store_membership_count: [[:pointer], :size_t],
      store_membership_entry: [%i[pointer size_t pointer pointer pointer pointer], :int32],
      store_statistics: [%i[uint64 pointer pointer], :int32],
      store_doctor: [[*TEXT, :pointer, :pointer], :int32],
      store_clear_cache: [%i[uint64 pointer], :int32],
      store_next_event: [%i[uint64 pointer pointer pointer], :int32],
      store_get_async: [[:uint64, *TEXT, *TEXT, *ENDING], :int32],
      store_get_all_async: [[:uint64, *TEXT, *ENDING], :int32],
      store_upsert_async: [[:uint64, *TEXT, *TEXT, :int64, :int32, *TEXT, *ENDING], :int32],
      store_init_async: [[:uint64, :pointer, :size_t, *ENDING], :int32],
      store_init_json_async: [[:uint64, *TEXT, *ENDING], :int32],
      store_initialized_async: [[:uint64, *ENDING], :int32],
      store_available_async: [[:uint64, *ENDING], :int32],
      store_big_segments_metadata_async: [[:uint64, *ENDING], :int32],
      store_big_segments_membership_async: [[:uint64, *TEXT, *ENDING], :int32],
      store_cancel: [%i[uint64 pointer], :int32],
      store_completions_open: [%i[pointer pointer], :int32],
      store_complete_to: [%i[uint64 uint64 pointer], :int32],
      store_completions_notify: [%i[uint64 int64 pointer], :int32],
      store_completions_next: [%i[uint64 int64 pointer pointer pointer], :int32],
      store_completions_close: [%i[uint64 pointer], :int32],
      store_result_code: [[:pointer], :int32],
      store_result_error: [%i[pointer pointer], :int32],
      store_result_item: [%i[pointer pointer pointer], :int32],
      store_result_items: [%i[pointer pointer pointer], :int32],
      store_result_initialized: [%i[pointer pointer pointer], :int32],
      store_result_metadata: [%i[pointer pointer pointer], :int32],
      store_result_membership: [%i[pointer pointer pointer], :int32],
      store_result_report: [%i[pointer pointer pointer], :int32],
      store_error_free: [[:pointer], :void],
      store_item_free: [[:pointer], :void],
      store_items_free: [[:pointer], :void],
      store_membership_free: [[:pointer], :void],
      store_result_free: [[:pointer], :void],
      store_string_free: [[:pointer], :void]
    }.freeze

    # Bound once more under another name, for where it waits: other Ruby threads run meanwhile.
    WAITING = { store_completions_next: :store_completions_wait, store_doctor: :store_doctor_wait }.freeze

    # +Thread#kill+, +Thread#raise+ and +Timeout+ wait while a function runs and its result is copied and freed, which blocks
    # nothing; and take effect where a call waits.
    AFTERWARDS = { Object => :never }.freeze
    AT_ONCE = { Object => :immediate }.freeze

    LOADING = Mutex.new
    private_constant :LOADING

    class << self
      # The library, loaded at the first use and kept.
      #
      # Looked for in this order: the file that +FLAGSTORE_LIBRARY+ names, the copy inside this package, the system. The
      # first one that is there is taken; if it cannot be used, the others are not tried.
      #
      # @return [Library]
      # @raise [LibraryError] it is not there, cannot be loaded, or has another ABI; or this is not the main Ractor
      def load
        unless Ractor.current == Ractor.main
          raise LibraryError, 'stores are for the main Ractor: read there, and give others the items, which are shareable'
        end

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
          raise LibraryError, "libflagstore was not found for #{platform}: #{VARIABLE} is not set, #{PACKAGED} is not " \
                              "there (the gem for #{platform} carries it), and the system says: #{e.message}", cause: nil
        end
      end

      # The name of the gem's platform that is for this process, such as +"x86_64-linux-musl"+.
      def platform
        local = Gem::Platform.local
        local.os == 'linux' ? "#{local.cpu}-linux-#{local.version || 'gnu'}" : local.to_s
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
      @file = FFI::DynamicLibrary.open(path, FFI::DynamicLibrary::RTLD_NOW | FFI::DynamicLibrary::RTLD_LOCAL)
      declare(@file)
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

    # How to read out of the cache.
    #
    # @return [#get]
    def hits
      @hits ||= Hits.of(self)
    end

    # Where a function is.
    #
    # @return [Integer]
    def address(name)
      @file.find_function(name.to_s).address
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

    # The outcome of an asynchronous call.
    #
    # @param result [FFI::Pointer]
    # @param error [FFI::MemoryPointer] a +store_error+ to use
    # @raise [Error] the call failed
    def outcome(result, error)
      code = @native.store_result_code(result)
      return code if code >= OK

      @native.store_result_error(result, error)
      raise failure(code, error)
    end

    # The exception for an error of the library, which is freed.
    #
    # @return [Error]
    def failure(code, error)
      _code, retriable, address = error.get_bytes(0, ERROR_SIZE).unpack(ERROR)
      message = address.zero? ? '' : FFI::Pointer.new(address).read_string.force_encoding(Encoding::UTF_8)
      Error.of(code, code_name(code), message, retriable == 1)
    ensure
      @native.store_error_free(error)
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
      WAITING.each { |name, alias_name| bind(library, name, as: alias_name, blocking: true) }
    end

    def bind(library, name, as: name, blocking: false)
      symbol = library.find_function(name.to_s)
      raise LibraryError, "#{path} cannot be used as libflagstore: it has no function #{name}" unless symbol

      arguments, result = FUNCTIONS.fetch(name)
      types = arguments.map { |type| FFI.find_type(type) }
      FFI::Function.new(FFI.find_type(result), types, symbol, blocking: blocking).attach(@native, as.to_s)
    end
  end
end
