# frozen_string_literal: true

require 'json'

require_relative 'text'

module Flagstore
  # The options of a store on their way into the library, which checks them.
  #
  # @api private
  module Options
    # @param options [Hash{Symbol => Object}] nil means not given
    # @return [String] a JSON object
    def self.text(options)
      JSON.generate(options.compact.to_h { |name, value| [name, value(name, value)] })
    end

    def self.value(name, value)
      value = value.to_path if value.respond_to?(:to_path)
      case value
      when String, Symbol then Text.utf8(name, value)
      when Integer, true, false then value
      else raise TypeError, "the option #{name} takes no #{value.class}"
      end
    end
    private_class_method :value
  end
end
