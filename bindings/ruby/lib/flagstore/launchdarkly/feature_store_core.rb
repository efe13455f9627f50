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

      # Of a row that cannot be read, each version is reported once. This many are remembered.
      REPORTS_REMEMBERED = 10_000
      private_constant :REPORTS_REMEMBERED

      # @param outage [Outage] is told of values that stood in
      def initialize(store, logger, outage)
        @store = store
        @logger = logger
        @outage = outage
        @reported = {}
        @reporting = Mutex.new
      end

      def init_internal(all_data)
        @store.init(
          all_data.to_h { |kind, items| [kind[:namespace], items.map { |key, item| encoded(kind, key, item) }] }
        )
      end

      def get_internal(kind, key)
        found = @store.get(kind[:namespace], key)
        @outage.noticed if found&.stale?
        found && decoded(kind, found)
      end

      # @return [Hash{Symbol => Object}]
      def get_all_internal(kind)
        found = @store.all(kind[:namespace])
        @outage.noticed if found.each_value.any?(&:stale?)
        found.transform_values { |item| decoded(kind, item) }.compact.transform_keys(&:to_sym)
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

        ::LaunchDarkly::Impl::Model.deserialize(kind, readable(item.item), @logger)
      rescue StandardError, SystemStackError => e
        report(kind, item, e)
        nil
      end

      # The SDK's models take anything that is a Hash, and fail later, in the middle of an evaluation. And what JSON cannot
      # say, such as a number that is read as infinite, fails the application where it writes all flags as JSON.
      def readable(text)
        data = JSON.parse(text, symbolize_names: true)
        raise TypeError unless data.is_a?(Hash) && data[:key].is_a?(String) && data[:version].is_a?(Integer)

        JSON.generate(data)
        data
      end

      # Says that a row is left out, unless it was said of this version of it.
      def report(kind, item, error)
        return unless first_report?([kind[:namespace], item.key, item.version])

        # Not the text of the exception, which may quote the payload.
        @logger.warn("the item #{item.key.inspect} in #{kind[:namespace].inspect} is left out: " \
                     "the SDK cannot read its version #{item.version} (#{error.class})")
      end

      def first_report?(row)
        @reporting.synchronize do
          next false if @reported.key?(row)

          @reported.clear if @reported.size >= REPORTS_REMEMBERED
          @reported[row] = true
        end
      end

      def tombstone(kind, item)
        ::LaunchDarkly::Impl::Model.deserialize(kind, { key: item.key, version: item.version, deleted: true })
      end
    end
  end
end
