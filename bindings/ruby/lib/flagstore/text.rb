# frozen_string_literal: true

require_relative 'error'

module Flagstore
  # Arguments on their way into the library.
  #
  # @api private
  module Text
    INT64 = (-(2**63)..((2**63) - 1))

    # UTF-8 that nobody changes while a call reads its memory: the caller's String, if it is frozen, or a copy.
    #
    # @param name [String] the argument, for the message
    # @param text [String, Symbol]
    # @return [String]
    # @raise [TypeError] it is neither
    # @raise [UsageError] it is not text
    def self.utf8(name, text)
      text = text.name if text.is_a?(Symbol)
      raise TypeError, "the argument #{name} takes a String or Symbol, not #{text.class}" unless text.is_a?(String)

      text = in_utf8(text)
      raise EncodingError unless text.valid_encoding?

      text
    rescue EncodingError
      raise Error.own('STORE_ERROR_INVALID_UTF8', "the argument #{name} cannot be put in UTF-8: correct its encoding")
    end

    # @param key [String] of the item, for the message
    # @return [Integer] a version that fits the C ABI
    def self.version(version, key)
      raise TypeError, "the version of #{key.inspect} takes an Integer, not #{version.class}" unless version.is_a?(Integer)
      return version if INT64.cover?(version)

      raise Error.own('STORE_ERROR_INVALID_VERSION', "the version #{version} of #{key.inspect} is beyond 64 bits")
    end

    def self.in_utf8(text)
      case text.encoding
      when Encoding::UTF_8, Encoding::US_ASCII then text.frozen? ? text : text.dup.freeze
      # What comes from a socket has no encoding yet.
      when Encoding::BINARY then text.dup.force_encoding(Encoding::UTF_8).freeze
      else text.encode(Encoding::UTF_8).freeze
      end
    end
    private_class_method :in_utf8
  end
end
