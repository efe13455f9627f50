# frozen_string_literal: true

require 'json'

require_relative '../item'

module Flagstore
  module LaunchDarkly
    # What the SDK's caching wrapper asks for. Called from several threads; errors are exceptions, which the SDK takes as a
    # reason to watch {#available?}.
    #
    # Items become the SDK's models and text the way the SDK's own integrations do it, by +Impl::Model+.
    #
    # @api private
    class FeatureStoreCore
      include ::LaunchDarkly::Integrations::Util::FeatureStoreCore

      def initialize(store, logger)
        @store = store
        @logger = logger
      end

      def init_internal(all_data)
        @store.init(
          all_data.to_h { |kind, items| [kind[:namespace], items.map { |key, item| encoded(kind, key, item) }] }
        )
      end

      def get_internal(kind, key)
        found = @store.get(kind[:namespace], key)
        found && decoded(kind, found)
      end

      # @return [Hash{Symbol => Object}]
      def get_all_internal(kind)
        items = @store.all(kind[:namespace]).transform_values { |item| decoded(kind, item) }
        items.compact.transform_keys(&:to_sym)
      end

      def upsert_internal(kind, item)
        new = encoded(kind, item[:key], item)
        result = @store.upsert(kind[:namespace], new.key, version: new.version, item: new.item, deleted: new.deleted?)
        return item if result.written?

        # The SDK caches what is returned, so it has to be what other processes read as well.
        stored = result.stored || @store.get(kind[:namespace], new.key)
        (stored && decoded(kind, stored)) || tombstone(kind, new)
      end

      def initialized_internal?
        @store.initialized?
      end

      # Whether the table answers; the SDK asks twice a second after an error.
      def available?
        @store.available?
      end

      # Called by the SDK when its client closes.
      def stop
        @store.close
      end

      private

      def encoded(kind, key, item)
        payload = ::LaunchDarkly::Impl::Model.serialize(kind, item)
        Item.new(key: key, version: item[:version], item: payload, deleted: item[:deleted] == true)
      end

      # The SDK's model of an item, or nil for a payload that is not one: it must not take the others down with it.
      def decoded(kind, item)
        return tombstone(kind, item) if item.deleted?

        # The SDK's models take anything that is a Hash, and fail later, in the middle of an evaluation.
        data = JSON.parse(item.item, symbolize_names: true)
        raise TypeError unless data.is_a?(Hash) && data[:key].is_a?(String) && data[:version].is_a?(Integer)

        ::LaunchDarkly::Impl::Model.deserialize(kind, data, @logger)
      rescue StandardError => e
        # The text of the exception may quote the payload.
        @logger.error("the item #{item.key.inspect} in #{kind[:namespace].inspect} is left out: " \
                      "its payload is not one (#{e.class})")
        nil
      end

      def tombstone(kind, item)
        ::LaunchDarkly::Impl::Model.deserialize(kind, { key: item.key, version: item.version, deleted: true })
      end
    end
  end
end
