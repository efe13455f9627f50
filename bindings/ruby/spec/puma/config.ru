# frozen_string_literal: true

# What puma_spec.rb serves: flags out of a store that was opened, and used, before the workers were forked.

$LOAD_PATH.unshift(File.expand_path('../../lib', __dir__))

require 'json'
require 'logger'
require 'securerandom'

require_relative '../sdk'

# Answers by the SDK's client, or straight by the feature store where the SDK is not here.
class Answers
  BOOT = SecureRandom.hex(4)
  FEATURES = LaunchDarkly::Impl::DataStore::FEATURES
  LOGGER = Logger.new(nil)

  def self.after_fork
    @instance.after_fork
  end

  def self.instance
    @instance ||= new(**JSON.parse(ENV.fetch('FEATURE_STORE'), symbolize_names: true))
  end

  def initialize(table:, **opts)
    @store = Flagstore::LaunchDarkly::DynamoDB.new_feature_store(table, { logger: LOGGER, expiration: 0 }.merge(opts))
    return unless SDK_IS_REAL

    config = LaunchDarkly::Config.new(feature_store: @store, use_ldd: true, send_events: false, logger: LOGGER)
    @client = LaunchDarkly::LDClient.new('sdk-key', config)
  end

  def after_fork
    @client&.postfork
  end

  def call(env)
    path, number = env.fetch('PATH_INFO').delete_prefix('/').split('/')
    status, body = path == 'flag' ? flag("flag-#{number}") : [200, JSON.generate(state)]
    [status, { 'Content-Type' => 'application/json' }, [body]]
  end

  def flag(key)
    return [200, @store.get(FEATURES, key)[:variations].first] unless @client

    context = LaunchDarkly::LDContext.create({ kind: 'user', key: 'user' })
    value = @client.variation(key, context, 'the default')
    [value == 'the default' ? 503 : 200, value]
  rescue Flagstore::Error => e
    [503, e.code_name]
  end

  def state
    { boot: BOOT, pid: Process.pid, master: Process.ppid, open_files: Dir.children('/proc/self/fd').length,
      threads: Dir.children('/proc/self/task').length }
  end
end

# Before the fork.
raise 'the store does not work' unless Answers.instance.flag('flag-0').first == 200

run Answers.instance
