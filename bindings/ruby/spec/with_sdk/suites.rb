# frozen_string_literal: true

# The SDK's own tests of persistent stores, all of them, with this package's stores. They are in its checkout.
RSpec.configuration.expose_dsl_globally = true
$LOAD_PATH.unshift(File.expand_path('spec', ENV.fetch('FLAGSTORE_SDK').split(':').first))
require 'big_segment_store_spec_base'
require 'feature_store_spec_base'

# What the suites ask for.
class StoreTester
  def initialize(options)
    @options = { dynamodb_opts: Endpoint.local.dynamodb_opts, logger: Logger.new(nil), **options.compact }
    @rows = Rows.new(Endpoint.local, options[:prefix])
  end

  def create_feature_store
    Flagstore::LaunchDarkly::DynamoDB.new_feature_store(TABLE, @options)
  end

  def create_big_segment_store
    Flagstore::LaunchDarkly::DynamoDB.new_big_segment_store(TABLE, @options)
  end

  def clear_data
    @rows.clear('things', 'features', '$inited', 'big_segments_metadata', 'big_segments_user')
  end

  def set_big_segments_metadata(metadata) # rubocop:disable Naming/AccessorMethodName
    @rows.put_special('big_segments_metadata', synchronizedOn: { N: metadata.last_up_to_date.to_s })
  end

  def set_big_segments(hash, includes, excludes)
    sets = { included: includes, excluded: excludes }.reject { |_name, segments| segments.empty? }
    @rows.put('big_segments_user', hash, **sets.transform_values { |segments| { SS: segments } })
  end
end

# The suites never pass on the prefixes and cache settings that they name, so every combination is made here once more.
[nil, '', 'testprefix'].product([0, 60]).each do |prefix, expiration|
  RSpec.describe "the SDK's suite of feature stores, prefix #{prefix.inspect}, expiration #{expiration}" do
    before do |example|
      next unless expiration.zero? && example.description == 'stores Unicode data correctly'

      skip 'it takes back the Hash that it wrote as a flag, which no store gives: only the cache does'
    end

    include_examples 'persistent_feature_store', (Class.new(StoreTester) do
      define_method(:initialize) { |options| super({ prefix: prefix, expiration: expiration, **options }) }
    end)
  end
end

RSpec.describe "the SDK's suite of Big Segment stores" do
  include_examples 'big_segment_store', StoreTester
end
