# frozen_string_literal: true

require 'socket'

# What goes wrong between the library and DynamoDB: the exception, and what its message tells whom.
RSpec.describe Flagstore::Error do
  payload = '{"key":"p4yl0ad"}'
  quick = { timeout_ms: 300, all_timeout_ms: 300, init_timeout_ms: 300, shared: false }
  let(:faults) { Endpoint.faults }

  after { faults.reset }

  # The error of a write: says what to do, and holds neither the payload nor the credentials.
  define_method(:failure_of) do |store|
    store.upsert('features', 'flag', version: 1, item: payload)
    raise 'it was written'
  rescue described_class => e
    expect(e.code).to be_negative
    expect(e.code_name).to start_with 'STORE_ERROR_'
    expect([e.message, e.inspect, e.full_message].join).not_to match(/p4yl0ad|#{SECRET}/o)
    expect(e.message).to include(': '), "says not what to do: #{e.message}"
    e
  end

  define_method(:store_at) { |url, **more| open_store(endpoint: url, **quick, **more) }

  define_method(:faulty) do |action, **more|
    faults.script({ do: action })
    store_at(faults.url, **more)
  end

  # Yields a port that nobody listens on, and that nobody else is given meanwhile.
  def closed_port
    socket = Socket.new(:INET, :STREAM)
    socket.bind(Addrinfo.tcp('127.0.0.1', 0))
    yield socket.local_address.ip_port
  ensure
    socket.close
  end

  it 'tells that nothing listens' do
    closed_port do |port|
      store = store_at("http://127.0.0.1:#{port}")
      error = failure_of(store)
      expect(error).to be_a(Flagstore::UnavailableError).and be_retriable
      expect(error.code_name).to eq('STORE_ERROR_CONNECTION').or eq('STORE_ERROR_TIMEOUT')
      expect(error.message).to include "127.0.0.1:#{port}"
      expect(store).not_to be_available
    end
  end

  it 'ends every call at its deadline where the endpoint is silent' do
    store = faulty('black_hole')
    [
      -> { store.get('features', 'flag') }, -> { store.all('features') }, -> { store.init('features' => []) },
      -> { store.upsert('features', 'flag', version: 1, item: payload) }, -> { store.initialized? },
      -> { store.big_segments_metadata }, -> { store.big_segments_membership('hash') }
    ].each do |call|
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      expect(&call).to raise_error(Flagstore::UnavailableError) { |error|
        expect([error.code_name, error.retriable?]).to eq ['STORE_ERROR_TIMEOUT', true]
      }
      expect(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started).to be_between(0.25, 5)
    end
    expect(failure_of(store).code_name).to eq 'STORE_ERROR_TIMEOUT'
  end

  {
    ['AccessDeniedException', 'ACCESS_DENIED', Flagstore::ConfigurationError] => {},
    ['UnrecognizedClientException', 'INVALID_CREDENTIALS', Flagstore::ConfigurationError] => {},
    ['InvalidSignatureException', 'INVALID_CREDENTIALS', Flagstore::ConfigurationError] => {},
    ['ExpiredTokenException', 'EXPIRED_CREDENTIALS', Flagstore::ConfigurationError] => {},
    ['ThrottlingException', 'THROTTLED', Flagstore::UnavailableError] => {},
    ['InternalServerError', 'SERVICE', Flagstore::UnavailableError] => { status: 500 },
    ['ValidationException', 'REJECTED', described_class] => {}
  }.each do |(type, name, expected), more|
    it "tells #{type} as #{name}" do
      error = failure_of(faulty({ do: 'refuse', type: type, message: 'odd', **more }, timeout_ms: 1000))
      expect(error.code_name).to eq "STORE_ERROR_#{name}"
      expect(error).to be_an_instance_of(expected)
      expect(error.retriable?).to be(expected == Flagstore::UnavailableError)
      expect(error.message).to match(/"flag" of kind "features".*table "flags"/)
    end
  end

  {
    'throttle' => %w[THROTTLED],
    'fault' => %w[SERVICE],
    'reset' => %w[CONNECTION TIMEOUT],
    'close' => %w[CONNECTION TIMEOUT],
    'garbage' => %w[UNEXPECTED_RESPONSE],
    { do: 'drip', bytes_per_second: 1 } => %w[TIMEOUT],
    { do: 'delay', ms: 2000 } => %w[TIMEOUT],
    { do: 'hold', at: 'response' } => %w[TIMEOUT],
    { do: 'close', at: 'body' } => %w[CONNECTION TIMEOUT UNEXPECTED_RESPONSE],
    { do: 'reset', at: 'response' } => %w[CONNECTION TIMEOUT],
    { do: 'wrong_length', by: 5 } => %w[CONNECTION TIMEOUT],
    { do: 'wrong_length', by: -1 } => %w[UNEXPECTED_RESPONSE CONNECTION TIMEOUT]
  }.each do |action, names|
    it "tells what the endpoint does, #{action}, as #{names.join(' or ')}" do
      error = failure_of(faulty(action, timeout_ms: 1000))
      expect(names.map { |name| "STORE_ERROR_#{name}" }).to include error.code_name
      expect(error).to be_an_instance_of(Flagstore::UnavailableError).and be_retriable
    end
  end

  ['<html>', '{', '[]', '{"Item":5}'].each do |body|
    it "takes #{body} for no answer" do
      store = faulty({ do: 'answer', body: body }, timeout_ms: 1000)
      expect { store.get('features', 'flag') }.to raise_error(Flagstore::UnavailableError) { |error|
        expect(error.code_name).to eq 'STORE_ERROR_UNEXPECTED_RESPONSE'
      }
    end
  end

  it 'repeats nothing that the endpoint quotes' do
    %w[body credentials].each { |quote| failure_of(faulty({ do: 'echo', quote: quote })) }
  end

  it 'is not met where a fault passes before the deadline' do
    faults.script({ times: 2, do: 'throttle' })
    expect(store_at(faults.url, timeout_ms: 10_000).upsert('features', 'flag', version: 1, item: payload)).to be_written
  end

  it 'names a missing table and the remedy' do
    store = open_store(table: 'no-such-table')
    expect { store.get('features', 'flag') }.to raise_error(Flagstore::ConfigurationError, /no-such-table.*: ./) { |error|
      expect([error.code_name, error.retriable?]).to eq ['STORE_ERROR_TABLE_NOT_FOUND', false]
    }
    expect(store).not_to be_available
  end

  it 'tells a table with another key from a missing one' do
    endpoint.ask('CreateTable', TableName: 'other-key', BillingMode: 'PAY_PER_REQUEST',
                                KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
                                AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }])
    expect { open_store(table: 'other-key').get('features', 'flag') }
      .to raise_error(Flagstore::ConfigurationError, /other-key.*namespace/) { |error|
        expect(error.code_name).to eq 'STORE_ERROR_KEY_SCHEMA'
      }
  end

  describe 'in an environment without AWS configuration' do
    around do |example|
      kept = ENV.to_h
      %w[AWS_REGION AWS_DEFAULT_REGION AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY].each { |name| ENV.delete(name) }
      ENV.update('AWS_EC2_METADATA_DISABLED' => 'true', 'AWS_CONFIG_FILE' => '/nowhere',
                 'AWS_SHARED_CREDENTIALS_FILE' => '/nowhere')
      example.run
    ensure
      ENV.replace(kept)
    end

    it 'says where to set a region' do
      store = Flagstore::Store.open(table: 'flags', access_key_id: 'test', secret_access_key: SECRET, shared: false)
      error = failure_of(store)
      expect(error).to be_a Flagstore::ConfigurationError
      expect([error.code_name, error.message]).to match ['STORE_ERROR_NO_REGION', /region/]
      store.close
    end

    it 'says where to set credentials' do
      store = Flagstore::Store.open(table: 'flags', endpoint: endpoint.url, region: 'us-east-1', shared: false)
      error = failure_of(store)
      expect(error).to be_a Flagstore::ConfigurationError
      expect([error.code_name, error.message]).to match ['STORE_ERROR_NO_CREDENTIALS', /credentials/]
      store.close
    end
  end
end
