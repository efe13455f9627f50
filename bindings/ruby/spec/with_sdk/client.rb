# frozen_string_literal: true

require 'digest'

# A client of the SDK around the store.
RSpec.describe 'a LaunchDarkly client' do
  features = LaunchDarkly::Impl::DataStore::FEATURES
  segments = LaunchDarkly::Impl::DataStore::SEGMENTS
  quiet = Logger.new(nil)

  let(:feature_store) do
    Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
      TABLE, prefix: prefix, dynamodb_opts: endpoint.dynamodb_opts, expiration: 0, logger: quiet
    )
  end

  define_method(:client) do |**options|
    config = LaunchDarkly::Config.new(feature_store: feature_store, send_events: false, logger: quiet, **options)
    @client ||= LaunchDarkly::LDClient.new('sdk-key', config)
  end

  after { @client&.close }

  def user(key = 'user')
    LaunchDarkly::LDContext.create({ kind: 'user', key: key })
  end

  def flag(**more)
    { key: 'flag', version: 1, on: false, offVariation: 0, variations: %w[a b], salt: '', rules: [], **more }
  end

  it 'reads what another process wrote' do
    store.init_json(JSON.generate(flags: { flag: flag }))
    one = client(use_ldd: true)
    expect(one.variation('flag', user, 'none')).to eq 'a'
    expect(one.all_flags_state(user).values_map).to eq('flag' => 'a')
    expect(one.data_store_status_provider.monitoring_enabled?).to be true
  end

  it 'writes what its data source brings' do
    source = LaunchDarkly::Integrations::TestData.data_source
    source.update(source.flag('flag').variations('a', 'b').variation_for_all(0))
    one = client(data_source: source)
    expect([one.initialized?, store.initialized?, one.variation('flag', user, 'none')]).to eq [true, true, 'a']
    before = store.get('features', 'flag').version
    source.update(source.flag('flag').variation_for_all(1))
    expect([one.variation('flag', user, 'none'), store.get('features', 'flag').version]).to eq ['b', before + 1]
  end

  it 'evaluates big segments' do
    rule = { id: 'r', variation: 1, clauses: [{ attribute: '', op: 'segmentMatch', values: ['big'] }] }
    segment = { key: 'big', version: 1, unbounded: true, generation: 2, salt: '', rules: [], included: [], excluded: [] }
    store.init_json(JSON.generate(segments: { big: segment },
                                  flags: { flag: flag(on: true, fallthrough: { variation: 0 }, rules: [rule]) }))
    rows.put('big_segments_user', Digest::SHA256.base64digest('member'), included: { SS: ['big.g2'] })
    rows.put_special('big_segments_metadata', synchronizedOn: { N: (2**42).to_s })
    big = Flagstore::LaunchDarkly::DynamoDB.new_big_segment_store(TABLE, prefix: prefix, logger: quiet,
                                                                         dynamodb_opts: endpoint.dynamodb_opts)
    one = client(use_ldd: true, big_segments: LaunchDarkly::BigSegmentsConfig.new(store: big))
    answers = %w[member other].map do |key|
      detail = one.variation_detail('flag', user(key), 'none')
      [detail.value, detail.reason.big_segments_status]
    end
    expect(answers).to eq [['b', :HEALTHY], ['a', :HEALTHY]]
  end

  it 'notices that the store fails, and that it is back' do
    faults = Endpoint.faults
    faults.reset
    store.init_json(JSON.generate(flags: { flag: flag }))
    through = Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
      TABLE, prefix: prefix, expiration: 0, logger: quiet, options: { timeout_ms: 200 },
             dynamodb_opts: { **endpoint.dynamodb_opts, endpoint: faults.url }
    )
    one = client(use_ldd: true, feature_store: through)
    statuses = Queue.new
    listener = Object.new
    listener.define_singleton_method(:update) { |status| statuses << status.available }
    one.data_store_status_provider.add_listener(listener)
    faults.script({ do: 'fault' })
    expect(one.variation('flag', user, 'none')).to eq 'none'
    expect(statuses.pop).to be false
    faults.reset
    expect(statuses.pop).to be true
    expect(one.variation('flag', user, 'none')).to eq 'a'
  ensure
    faults.reset
  end

  it 'notices an outage in which older values stand in, and that it is over' do
    faults = Endpoint.faults
    faults.reset
    store.init_json(JSON.generate(flags: { flag: flag }))
    through = Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
      TABLE, prefix: prefix, expiration: 0, logger: quiet, options: { cache_ttl_ms: 1 },
             dynamodb_opts: { **endpoint.dynamodb_opts, endpoint: faults.url }
    )
    one = client(use_ldd: true, feature_store: through)
    statuses = Queue.new
    listener = Object.new
    listener.define_singleton_method(:update) { |status| statuses << status.available }
    one.data_store_status_provider.add_listener(listener)
    expect(one.variation('flag', user, 'none')).to eq 'a'
    faults.script({ do: 'fault' })
    answers = []
    answers << one.variation('flag', user, 'none') while statuses.empty?
    expect([statuses.pop, one.data_store_status_provider.status.available]).to eq [false, false]
    expect(answers.uniq).to eq ['a']
    faults.reset
    expect(statuses.pop).to be true
  ensure
    faults.reset
  end

  it 'evaluates in forked children' do
    store.init_json(JSON.generate(flags: { flag: flag }, segments: {}))
    one = client(use_ldd: true)
    evaluate = -> { one.variation('flag', user, 'none') == 'a' && one.feature_store_answers?(features, segments) }
    one.define_singleton_method(:feature_store_answers?) do |*kinds|
      kinds.map { |kind| @config.feature_store.all(kind).length } == [1, 0]
    end
    expect(evaluate.call).to be true
    pids = Array.new(8) { fork { exit!(evaluate.call ? 0 : 1) } }
    expect(pids.map { |pid| Process.detach(pid).join(30)&.value&.exitstatus }).to eq [0] * 8
    expect(evaluate.call).to be true
  end
end
