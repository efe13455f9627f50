# frozen_string_literal: true

require 'json'
require 'logger'

# Stands in for the LaunchDarkly SDK where it is not installed: the interfaces that the adapter plugs into, and no more.
# What they promise is the SDK's; how they keep it is not. The same specs run with the SDK itself, see README.
module LaunchDarkly
  class Config
    def self.default_logger
      @default_logger ||= Logger.new($stderr, level: Logger::WARN)
    end
  end

  module Interfaces
    module FeatureStore; end

    module BigSegmentStore; end

    BigSegmentStoreMetadata = Struct.new(:last_up_to_date)
  end

  module Impl
    # Goes around a feature store in a client, and knows from exceptions whether it is available.
    class FeatureStoreClientWrapper
      attr_reader :available

      def initialize(store)
        @store = store
        @available = true
      end

      def monitoring_enabled?
        true
      end

      def get(kind, key)
        @store.get(kind, key)
      end

      private

      def update_availability(available)
        @available = available
      end
    end

    module DataStore
      Kind = Struct.new(:namespace)
      FEATURES = Kind.new('features').freeze
      SEGMENTS = Kind.new('segments').freeze
    end

    module Model
      # A flag or segment: read like a Hash, and no Hash.
      Item = Struct.new(:data) do
        def [](name)
          data[name]
        end

        def to_json(*options)
          data.to_json(*options)
        end
      end

      def self.deserialize(kind, input, _logger = nil)
        data = input.is_a?(String) ? JSON.parse(input, symbolize_names: true) : input
        return data unless data.is_a?(Hash) && [DataStore::FEATURES, DataStore::SEGMENTS].include?(kind)
        raise ArgumentError if data[:rules].is_a?(String)

        Item.new(data)
      end

      def self.serialize(_kind, item)
        item.to_json
      end
    end
  end

  module Integrations
    module Util
      module FeatureStoreCore; end

      # Asks its core, remembers answers for +:expiration+ seconds, and hides what is deleted.
      class CachingStoreWrapper
        include Interfaces::FeatureStore

        def initialize(core, opts)
          @core = core
          @seconds = opts[:expiration] || 15
          @answers = {}
        end

        def init(all_data)
          @core.init_internal(all_data)
          @answers.clear
          @initialized = true
        end

        def get(kind, key)
          live(remembered(kind[:namespace], key.to_s) { @core.get_internal(kind, key) })
        end

        def all(kind)
          remembered(kind[:namespace]) { @core.get_all_internal(kind) }.select { |_key, item| live(item) }
        end

        def upsert(kind, item)
          state = @core.upsert_internal(kind, item)
          @answers.delete([kind[:namespace]])
          @answers[[kind[:namespace], item[:key].to_s]] = [state, now]
        end

        def delete(kind, key, version)
          upsert(kind, { key: key, version: version, deleted: true })
        end

        def initialized?
          @initialized ||= remembered(:initialized) { @core.initialized_internal? }
        end

        def monitoring_enabled?
          @core.respond_to?(:available?)
        end

        def available?
          @core.available?
        end

        def stop
          @core.stop
        end

        private

        def remembered(*question)
          answer, at = @answers[question]
          return answer if at && now - at < @seconds

          yield.tap { |fresh| @answers[question] = [fresh, now] }
        end

        def live(item)
          item unless item.nil? || item[:deleted]
        end

        def now
          Process.clock_gettime(Process::CLOCK_MONOTONIC)
        end
      end
    end
  end
end
