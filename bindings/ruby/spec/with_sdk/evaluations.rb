# frozen_string_literal: true

# The SDK, in daemon mode, evaluates what this package stored: all of the harness's server-side cases.
RSpec.describe 'the LaunchDarkly SDK' do
  data_sets = JSON.parse(File.read("#{REPOSITORY}/tests/data/evaluations.json"))['suites']

  # Users of the time before contexts have no kind, and their own attributes apart; the SDK takes contexts only.
  def as_context(given)
    return given if given.key?('kind')

    { 'kind' => 'user', **(given['custom'] || {}), **given.except('custom') }
  end

  # The SDK's answer in the form of the expected one, as JSON, in which 1 and 1.0 are two.
  def answer(client, evaluation)
    context = LaunchDarkly::LDContext.create(JSON.parse(as_context(evaluation['context']).to_json, symbolize_names: true))
    detail = client.variation_detail(evaluation['flagKey'], context, evaluation['default'])
    index = detail.variation_index.nil? ? {} : { variationIndex: detail.variation_index }
    text({ value: detail.value, reason: detail.reason.as_json, **index })
  end

  def text(answer)
    sorted(JSON.parse(answer.to_json)).to_json
  end

  def sorted(value)
    case value
    when Hash then value.transform_values { |member| sorted(member) }.sort.to_h
    when Array then value.map { |member| sorted(member) }
    else value
    end
  end

  it 'has 720 evaluations of 300 data sets to make' do
    expect([data_sets.length, data_sets.sum { |data_set| data_set['evaluations'].length }]).to eq [300, 720]
  end

  data_sets.each do |data_set|
    it "evaluates as with its own store: #{data_set['name']}" do
      store.init_json(data_set.slice('flags', 'segments').to_json)
      feature_store = Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
        TABLE, prefix: prefix, dynamodb_opts: endpoint.dynamodb_opts, expiration: 0, logger: Logger.new(nil)
      )
      config = LaunchDarkly::Config.new(feature_store: feature_store, use_ldd: true, send_events: false,
                                        logger: Logger.new(nil))
      client = LaunchDarkly::LDClient.new('sdk-key', config)
      expected = data_set['evaluations'].map { |evaluation| text(evaluation['expect']) }
      expect(data_set['evaluations'].map { |evaluation| answer(client, evaluation) }).to eq expected
    ensure
      client&.close
    end
  end
end
