# frozen_string_literal: true

require 'logger'

require_relative 'sdk'

# Another SDK's own integration and this package share a table, each reading what the other wrote: Python's with boto3.
RSpec.describe 'a table shared with the Python SDK' do
  python = "#{ENV['VENV'] || "#{REPOSITORY}/build/venv"}/bin/python"
  features = LaunchDarkly::Impl::DataStore::FEATURES
  segments = LaunchDarkly::Impl::DataStore::SEGMENTS
  kinds = { 'features' => features, 'segments' => segments }.freeze

  before(:context) do
    missing = Endpoint.missing_for_dynalite
    skip "dynalite needs #{missing.join(' and ')}, which this machine has not" if missing.any?
    skip "there is no #{python}: `make venv` makes it" unless File.executable?(python)
  end

  let(:endpoint) { Endpoint.dynalite }

  before(:context) do
    command = [python, File.expand_path('python_peer.py', __dir__), Endpoint.dynalite.url, TABLE]
    @process = IO.popen(command, 'r+')
  end

  after(:context) { @process&.close }

  # The Python SDK in a process of its own.
  let(:theirs) do
    process = @process
    prefix = self.prefix
    Class.new do
      define_method(:method_missing) do |name, *arguments|
        process.puts(JSON.generate([prefix, name, *arguments]))
        JSON.parse(process.gets || raise("#{name}: the Python process ended"))
      end
      define_method(:respond_to_missing?) { |*| true }
    end.new
  end

  # This package, called by the same names and with the same JSON.
  let(:ours) do
    store = Flagstore::LaunchDarkly::DynamoDB.new_feature_store(
      TABLE, prefix: prefix, dynamodb_opts: endpoint.dynamodb_opts, expiration: 0, logger: Logger.new(nil)
    )
    plain = ->(item) { item && JSON.parse(item.to_json) }
    model = ->(kind, item) { LaunchDarkly::Impl::Model.deserialize(kind, JSON.parse(item.to_json, symbolize_names: true)) }
    Class.new do
      define_method(:init) do |data|
        store.init(data.to_h do |kind, items|
          [kinds[kind], items.to_h { |key, item| [key.to_sym, model.call(kinds[kind], item)] }]
        end)
      end
      define_method(:get) { |kind, key| plain.call(store.get(kinds[kind], key)) }
      define_method(:all) { |kind| store.all(kinds[kind]).to_h { |key, item| [key.to_s, plain.call(item)] } }
      define_method(:upsert) { |kind, item| store.upsert(kinds[kind], model.call(kinds[kind], item)) }
      define_method(:delete) { |kind, key, version| store.delete(kinds[kind], key, version) }
      define_method(:initialized) { store.initialized? }
      define_method(:stop) { store.stop }
    end.new
  end

  after { ours.stop }

  def flag(key, version, **more)
    { 'key' => key, 'version' => version, 'on' => true, 'fallthrough' => { 'variation' => 0 },
      'variations' => %w[ä b], 'salt' => 's', **more.transform_keys(&:to_s) }
  end

  let(:data) do
    segment = { 'key' => 'segment', 'version' => 2, 'included' => ['user'], 'excluded' => [], 'salt' => '', 'rules' => [] }
    { 'segments' => { 'segment' => segment }, 'features' => { 'one' => flag('one', 1), 'two' => flag('two', 2) } }
  end

  { 'Python writes and Ruby reads' => %i[theirs ours], 'Ruby writes and Python reads' => %i[ours theirs] }
    .each do |who, (one, other)|
      describe "where #{who}" do
        let(:writer) { public_send(one) }
        let(:reader) { public_send(other) }

        it 'has what was initialised' do
          expect(reader.initialized).to be false
          writer.init(data)
          expect(reader.initialized).to be true
          data.each do |kind, items|
            expect(reader.all(kind)).to match(items.transform_values { |item| a_hash_including(item) })
            items.each { |key, item| expect(reader.get(kind, key)).to include item }
          end
        end

        it 'has what was updated' do
          reader.init(data)
          writer.upsert('features', flag('one', 5, name: 'new'))
          writer.upsert('features', flag('three', 1))
          expect(reader.get('features', 'one')).to include flag('one', 5, name: 'new')
          expect(reader.all('features').keys).to contain_exactly('one', 'two', 'three')
        end

        it 'misses what was deleted' do
          reader.init(data)
          writer.delete('features', 'one', 9)
          writer.delete('segments', 'segment', 9)
          expect([reader.get('features', 'one'), reader.get('segments', 'segment')]).to eq [nil, nil]
          expect([reader.all('features').keys, reader.all('segments')]).to eq [['two'], {}]
        end

        it 'keeps what is newer' do
          reader.init(data)
          reader.upsert('features', flag('one', 7))
          writer.upsert('features', flag('one', 6))
          reader.delete('features', 'two', 7)
          writer.upsert('features', flag('two', 6))
          expect(reader.get('features', 'one')['version']).to eq 7
          expect([writer, reader].map { |side| side.get('features', 'two') }).to eq [nil, nil]
          writer.upsert('features', flag('two', 8))
          expect(reader.get('features', 'two')['version']).to eq 8
        end

        it 'has an init replace what the other wrote' do
          reader.init(data)
          reader.delete('features', 'two', 3)
          writer.init('segments' => {}, 'features' => { 'one' => flag('one', 2) })
          expect(reader.all('segments')).to eq({})
          expect(reader.all('features')).to match('one' => a_hash_including(flag('one', 2)))
        end
      end
    end

  it 'costs no writes where Ruby starts on what Python wrote' do
    theirs.init(data)
    report = open_store.init_json(JSON.generate(data))
    expect(report).to have_attributes(written: 0, unchanged: 3, deleted: 0)
    expect(open_store.statistics[:write_units]).to eq 0
  end

  it 'has the same big segments for both' do
    big = Flagstore::LaunchDarkly::DynamoDB.new_big_segment_store(TABLE, prefix: prefix, logger: Logger.new(nil),
                                                                         dynamodb_opts: endpoint.dynamodb_opts)
    here = -> { [big.get_metadata.last_up_to_date, big.get_membership('hash')] }
    expect([here.call, theirs.big_segments('hash')]).to eq [[nil, nil]] * 2
    rows.put_special('big_segments_metadata', synchronizedOn: { N: '1700000000123' })
    rows.put('big_segments_user', 'hash', included: { SS: ['a.g1'] }, excluded: { SS: %w[a.g1 b.g1] })
    expect([here.call, theirs.big_segments('hash')])
      .to eq [[1_700_000_000_123, { 'a.g1' => true, 'b.g1' => false }]] * 2
  ensure
    big&.stop
  end
end
