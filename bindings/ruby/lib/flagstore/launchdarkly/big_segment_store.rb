# frozen_string_literal: true

module Flagstore
  module LaunchDarkly
    # @api private
    class BigSegmentStore
      include ::LaunchDarkly::Interfaces::BigSegmentStore

      def initialize(store)
        @store = store
      end

      # The name is the SDK's.
      def get_metadata # rubocop:disable Naming/AccessorMethodName
        ::LaunchDarkly::Interfaces::BigSegmentStoreMetadata.new(@store.big_segments_metadata)
      end

      def get_membership(context_hash)
        @store.big_segments_membership(context_hash)
      end

      def stop
        @store.close
      end
    end
  end
end
