# frozen_string_literal: true

require 'logger'
require 'stringio'

require_relative 'sdk'

# Rows that the SDK cannot read, each among others that it can: they hide nobody, fail nothing, and are reported once.
RSpec.describe 'a row that the SDK cannot read' do
  data = JSON.parse(File.read("#{REPOSITORY}/tests/data/unreadable_rows.json"))
  kinds = { 'features' => LaunchDarkly::Impl::DataStore::FEATURES, 'segments' => LaunchDarkly::Impl::DataStore::SEGMENTS }

  let(:log) { StringIO.new }
  let(:logger) { Logger.new(log) }
  let(:feature_store) do
    Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
      TABLE, prefix: prefix, dynamodb_opts: endpoint.dynamodb_opts, logger: logger, expiration: 0
    )
  end

  after { feature_store.stop }

  def put(kind, key, version, text)
    rows.put(kind, key, version: { N: version.to_s }, item: { S: text })
  end

  def text_of(row)
    nesting = row.fetch('nesting', 0)
    row['item'].sub('<>') { ('[' * nesting) + (']' * nesting) }
  end

  # A flag that asks whether a user is in a segment.
  def using(segment)
    clause = { attribute: '', op: 'segmentMatch', values: [segment], negate: false }
    JSON.generate(key: 'using', version: 1, on: true, variations: %w[in out], fallthrough: { variation: 1 }, salt: '',
                  rules: [{ id: 'r', variation: 0, clauses: [clause] }])
  end

  def reports
    log.string.lines.grep(/is left out/)
  end

  data['unreadable'].each do |namespace, unreadable|
    unreadable.each do |row|
      it "hides no other: #{namespace}, #{row['name']}" do
        data['readable'].each { |kind, readable| readable.each { |key, text| put(kind, key, 3, text) } }
        put('features', 'using', 1, using(row['name']))
        put(namespace, row['name'], row['version'], text_of(row))

        kind = kinds[namespace]
        shown = feature_store.all(kind)
        expect(shown.keys).to include(*data['readable'][namespace].keys.map(&:to_sym))
        left_out = !shown.key?(row['name'].to_sym)
        expect(left_out).to be true if row['everywhere']
        expect(feature_store.get(kind, row['name']).nil?).to be left_out
        expect(JSON.parse(JSON.generate(shown)).length).to eq shown.length

        evaluate_all(row['name']) if SDK_IS_REAL

        expect(reports.length).to eq(left_out ? 1 : 0)
        expect(reports).to all(match(/WARN.*"#{row['name']}" in "#{namespace}" is left out.*version 3/))
        expect(log.string).not_to match(/"on"|\[\[/)
      end
    end
  end

  def evaluate_all(name)
    client = new_client
    user = LaunchDarkly::LDContext.create({ kind: 'user', key: 'u' })
    state = client.all_flags_state(user)
    expect([state.valid?, JSON.parse(state.to_json)['a readable flag']]).to eq [true, true]
    expect(client.variation('the last readable flag', user, nil)).to be true
    client.variation(name, user, nil)
    expect(client.variation('using', user, 'error')).to match(/in|out|error/)
  ensure
    client&.close
  end

  def new_client
    quiet = Logger.new(nil)
    options = { feature_store: feature_store, use_ldd: true, send_events: false, logger: quiet }
    LaunchDarkly::LDClient.new('sdk-key', LaunchDarkly::Config.new(**options))
  end

  it 'is reported once for each version' do
    [3, 4].each do |version|
      kinds.each_key { |namespace| put(namespace, 'bad', version, 'p4yl0ad') }
      (kinds.values * 2).each do |kind|
        expect([feature_store.all(kind), feature_store.get(kind, 'bad')]).to eq [{}, nil]
      end
    end
    expect(reports.map { |line| line[/"bad".*/] }.uniq.length).to eq 4
    expect(reports.length).to eq 4
    expect(log.string).not_to include 'p4yl0ad'
  end

  it 'forges no line of the log by its key' do
    put('features', "k\nFATAL forged \e[2K", 1, 'p4yl0ad')
    expect(feature_store.all(kinds['features'])).to eq({})
    expect(log.string.lines.grep_v(/^I/).length).to eq 1
    expect(log.string).not_to include "\e"
  end

  { 'fails' => nil, 'is none' => $stdout }.each do |words, other|
    it "hides no other where the logger #{words}" do
      failing = other || Logger.new(nil).tap do |one|
        %i[error warn info debug].each { |level| allow(one).to receive(level).and_raise(IOError, 'closed stream') }
      end
      store = Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
        TABLE, prefix: prefix, dynamodb_opts: endpoint.dynamodb_opts, logger: failing, expiration: 0
      )
      put('features', 'bad', 1, 'p4yl0ad')
      # The SDK's model has something to say about this one.
      put('features', 'good', 1, '{"key":"good","version":1,"on":true,"offVariation":7,"variations":[true]}')
      expect(store.all(kinds['features']).keys).to eq [:good]
    ensure
      store&.stop
    end
  end
end
