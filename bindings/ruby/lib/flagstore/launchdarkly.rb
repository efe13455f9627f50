# frozen_string_literal: true

require 'json'
require 'ldclient-rb'

require_relative '../flagstore'
require_relative 'launchdarkly/aws_options'
require_relative 'launchdarkly/big_segment_store'
require_relative 'launchdarkly/feature_store_core'
require_relative 'launchdarkly/outage'

module Flagstore
  # What plugs into the LaunchDarkly SDK, the gem +launchdarkly-server-sdk+.
  module LaunchDarkly
    # Stands in for +LaunchDarkly::Integrations::DynamoDB+: same call shape, same table, same rows, so that processes with
    # either one share a table. Needs no AWS SDK.
    #
    # @example
    #   store = Flagstore::LaunchDarkly::DynamoDB.new_feature_store('flags', prefix: 'production')
    #   config = LaunchDarkly::Config.new(feature_store: store)
    module DynamoDB
      CACHE_OPTIONS = %i[expiration capacity].freeze
      OPTIONS = (%i[prefix dynamodb_opts logger options] + CACHE_OPTIONS).freeze
      private_constant :OPTIONS, :CACHE_OPTIONS

      # A feature store for the +feature_store+ of +LaunchDarkly::Config+.
      #
      # The cache is the SDK's own, as with its own integration. Costs no network I/O and needs no table yet.
      #
      # @param table_name [String] name of an existing table, whose key is +namespace+ (string) and +key+ (string)
      # @param opts [Hash]
      # @option opts [String] :prefix  put before every namespace; nil or empty for none
      # @option opts [Hash] :dynamodb_opts  as for the SDK's integration, options of +Aws::DynamoDB::Client+; those without
      #   a counterpart are refused by name
      # @option opts [Logger] :logger  give the one of the client's configuration; by default the SDK's,
      #   +LaunchDarkly::Config.default_logger+
      # @option opts [Numeric] :expiration (15)  how long the SDK caches what it reads, in seconds; 0 for not at all
      # @option opts [Integer] :capacity (1000)  most items in the SDK's cache
      # @option opts [Hash] :options  options of {Flagstore::Store}, which win over +:dynamodb_opts+; +keep_told+ is true
      #   unless given
      # @return [LaunchDarkly::Interfaces::FeatureStore]
      # @raise [OptionError] an option is unknown or wrong; the message names it
      def self.new_feature_store(table_name, opts = {})
        store, logger = opened(table_name, opts, keep_told: true)
        outage = Outage.new
        core = FeatureStoreCore.new(store, logger, outage)
        feature_store = ::LaunchDarkly::Integrations::Util::CachingStoreWrapper.new(core, opts.slice(*CACHE_OPTIONS))
        outage.feature_store = feature_store
        feature_store
      end

      # A Big Segment store for the +store+ of +LaunchDarkly::BigSegmentsConfig+. Parameters and errors as for
      # {new_feature_store}; those of the cache may be among them, as in options that both share, and have no effect.
      #
      # @return [LaunchDarkly::Interfaces::BigSegmentStore]
      def self.new_big_segment_store(table_name, opts = {})
        store, = opened(table_name, opts)
        BigSegmentStore.new(store)
      end

      # {Flagstore::Store.doctor} for what {new_feature_store} takes: says what is wrong between this process and its flags,
      # and what to do about it. The cache and the logger are not looked at.
      #
      # @return [Report]
      # @raise [OptionError] an option is unknown or wrong; the message names it
      # @raise [UnavailableError] not even that could be found out in time
      def self.doctor(table_name, opts = {})
        options = translated(opts, keep_told: true).except(:logger, :log_events)
        Store.doctor(table: table_name, prefix: opts[:prefix], **options)
      end

      def self.translated(opts, **defaults)
        opts.each_key { |name| refuse(name) unless OPTIONS.include?(name) || opts[name].nil? }
        { **defaults, **AwsOptions.translated(opts[:dynamodb_opts] || {}), **(opts[:options] || {}) }
      end
      private_class_method :translated

      def self.opened(table_name, opts, **defaults)
        options = translated(opts, **defaults)
        logger = HarmlessLogger.around(opts[:logger] || ::LaunchDarkly::Config.default_logger)
        store = Store.new(table: table_name, prefix: opts[:prefix], logger: logger, **options)
        logger.info("flagstore: using #{described(table_name, opts[:prefix], options)}")
        [store, logger]
      end
      private_class_method :opened

      # Which flags these are, for whoever wonders.
      def self.described(table, prefix, options)
        prefix = prefix.to_s.empty? ? 'no prefix' : "prefix #{prefix.inspect}"
        # Without a name and password in it.
        endpoint = options[:endpoint]&.to_s&.sub(%r{//[^/]*@}, '//')
        endpoint = endpoint ? "endpoint #{endpoint}" : "AWS's endpoint"
        region = options[:region] ? "region #{options[:region]}" : 'the region of the environment'
        library = Library.load
        "table #{table.inspect}, #{prefix}, #{endpoint}, #{region}; libflagstore #{library.version}, #{library.path}"
      end
      private_class_method :described

      def self.refuse(name)
        why = if name == :existing_client
                'cannot be used, since libflagstore makes its own connections: give what the client was made with ' \
                  'as dynamodb_opts'
              else
                "is none of #{OPTIONS.join(', ')}: correct it or leave it out"
              end
        raise Error.own('STORE_ERROR_UNKNOWN_OPTION', "the option #{name.inspect} #{why}")
      end
      private_class_method :refuse
    end
  end
end
