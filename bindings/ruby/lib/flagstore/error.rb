# frozen_string_literal: true

module Flagstore
  # A call that failed.
  #
  # The message says what was attempted, what happened and what to do. It never holds a credential or a payload.
  class Error < StandardError
    # @return [Integer] the number of the C ABI: negative, stable, never reused
    attr_reader :code

    # @return [String] the name of {#code}, such as +"STORE_ERROR_TIMEOUT"+
    attr_reader :code_name

    def initialize(message, code:, code_name:, retriable: false)
      super(message)
      @code = code
      @code_name = code_name
      @retriable = retriable
    end

    # Whether the same call may succeed later without anyone changing anything.
    def retriable?
      @retriable
    end

    # The exception for an error of the library. A code that this version does not know is a plain {Error}, or an
    # {UnavailableError} if it is retriable.
    #
    # @api private
    def self.of(code, code_name, message, retriable)
      kind = [UsageError, OptionError, ConfigurationError].find { |one| one::CODES.include?(code) }
      kind ||= retriable ? UnavailableError : Error
      kind.new(message, code: code, code_name: code_name, retriable: retriable)
    end

    # The exception for something that this package found wrong itself.
    #
    # @api private
    def self.own(code_name, message)
      of(OWN.fetch(code_name), code_name, message, false)
    end

    OWN = {
      'STORE_ERROR_INVALID_UTF8' => -3,
      'STORE_ERROR_INVALID_HANDLE' => -5,
      'STORE_ERROR_UNKNOWN_OPTION' => -7,
      'STORE_ERROR_OPTION_TYPE' => -8,
      'STORE_ERROR_OPTION_VALUE' => -9,
      'STORE_ERROR_INVALID_VERSION' => -14,
      'STORE_CANCELLED' => -46
    }.freeze
    private_constant :OWN
  end

  # An argument or a data set cannot be right, or the store is closed. Nothing was sent.
  class UsageError < Error
    # @api private
    CODES = [-2, -3, -4, -5, -11, -12, -13, -14, -15, -16, -17, -44].freeze
  end

  # The options, the table, the credentials, the region or the clock must change before a call can succeed.
  class ConfigurationError < Error
    # @api private
    CODES = [-30, -31, -32, -33, -34, -35, -36, -37].freeze
  end

  # An option is unknown, of the wrong type or out of range; the message names it. Nothing was opened.
  class OptionError < ConfigurationError
    # @api private
    CODES = [-7, -8, -9, -10].freeze
  end

  # DynamoDB could not be asked, or not in time: {#retriable?} is true, and trying again later may help.
  class UnavailableError < Error; end

  # The shared library +libflagstore+ is missing, unreadable or of another ABI; the message says where it was looked for.
  # Not a +StandardError+, like every failure to load code.
  class LibraryError < LoadError; end
end
