# frozen_string_literal: true

module Flagstore
  module LaunchDarkly
    # Tells the SDK that DynamoDB is away while older values stand in.
    #
    # The SDK's data store status goes by exceptions, and in such an outage there is none. So the wrappers that its clients
    # have put around a feature store are looked for and told, as they tell themselves; from then on they ask
    # {FeatureStoreCore#available?} until the table is back. They are not the SDK's public interface: where they are not as
    # they were, the status stays what it is without this.
    #
    # @api private
    class Outage
      # Seconds between two searches: each looks at every object of the process.
      BETWEEN_SEARCHES = 5
      private_constant :BETWEEN_SEARCHES

      # @return [LaunchDarkly::Interfaces::FeatureStore] what the clients have
      attr_writer :feature_store

      def initialize
        @next_search = 0
        @searching = Mutex.new
      end

      # An older value stood in for one that could not be read.
      def noticed
        return unless due?

        wrappers.each { |wrapper| wrapper.send(:update_availability, false) if wrapper.monitoring_enabled? }
      rescue NoMethodError
        # Another SDK.
      end

      private

      def due?
        @searching.synchronize do
          now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
          next false if now < @next_search

          @next_search = now + BETWEEN_SEARCHES
          true
        end
      end

      # Several where there are several clients, and after a fork those of the parent, which nothing runs any more.
      def wrappers
        kinds.flat_map { |kind| ObjectSpace.each_object(kind).to_a }
             .select { |wrapper| wrapper.instance_variable_get(:@store).equal?(@feature_store) }
      end

      def kinds
        %w[FeatureStoreClientWrapper DataStore::FeatureStoreClientWrapperV2].filter_map do |name|
          ::LaunchDarkly::Impl.const_get(name) if ::LaunchDarkly::Impl.const_defined?(name)
        end
      end
    end
  end
end
