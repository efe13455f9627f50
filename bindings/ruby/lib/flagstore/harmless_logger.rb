# frozen_string_literal: true

module Flagstore
  # A logger whose failures stay its own: what a call did is done, whatever the logger makes of the news.
  #
  # @api private
  class HarmlessLogger
    # @param logger [Object, nil] what the application gave, which may be no logger at all
    # @return [HarmlessLogger, nil]
    def self.around(logger)
      logger.is_a?(self) || logger.nil? ? logger : new(logger)
    end

    def initialize(logger)
      @logger = logger
    end

    %i[error warn info debug].each do |level|
      define_method(level) do |message|
        @logger.public_send(level, message)
        nil
      rescue StandardError, NotImplementedError
        nil
      end
    end
  end
end
