# frozen_string_literal: true

require 'logger'
require 'stringio'

RSpec.describe Flagstore::Store do
  flag = '{"key":"flag","version":1}'

  def item(key, version, payload = nil, **more)
    Flagstore::Item.new(key: key, version: version, item: payload, **more)
  end

  def deleted(key, version)
    item(key, version, deleted: true)
  end

  def logged
    @logged ||= StringIO.new
  end

  it 'tells the version of the library' do
    expect(Flagstore.library_version).to match(/\A\d+\.\d+\.\d+/)
  end

  describe 'reading and writing one item' do
    it 'has nil for an item that is not there' do
      expect(store.get('features', 'nothing')).to be_nil
    end

    it 'gives back what was written' do
      expect(store.upsert('features', 'flag', version: 1, item: flag)).to be_written
      expect(store.get('features', 'flag')).to eq item('flag', 1, flag)
    end

    it 'gives frozen UTF-8' do
      store.upsert('features', 'flag', version: 1, item: 'é')
      [store.get('features', 'flag'), store.all('features').fetch('flag')].each do |found|
        expect([found.item.encoding, found.item.frozen?, found.frozen?]).to eq [Encoding::UTF_8, true, true]
        expect(found.key).to be_frozen
      end
    end

    it 'takes symbols for kinds and keys' do
      store.upsert(:features, :flag, version: 1, item: flag)
      expect(store.get('features', 'flag')).to eq store.get(:features, :flag)
      expect(store.all(:features).keys).to eq ['flag']
    end

    ['plain', 'with space', 'with:colon/and/slash', 'Grüße-日本語-🚩', "nul\0inside", "\0", %q(quote"back\slash'),
     "line\nbreak\ttab\x7f", "\u202e\ufeff", "e\u0301", 'x' * 1024].each do |key|
      it "takes the key #{key[0, 24].dump}" do
        expect(store.upsert('features', key, version: 1, item: flag)).to be_written
        expect(store.get('features', key)).to eq item(key, 1, flag)
        expect(store.all('features')).to eq(key => item(key, 1, flag))
      end
    end

    ['not JSON', ' {} ', '{"a" : 1.0e5}', "\0", "null\0", '"\u0000é🚩"', '[]', 'x' * 300_000].each do |payload|
      it "gives back the payload #{payload[0, 20].dump} character for character" do
        store.upsert('things', 'thing', version: 1, item: payload)
        expect(store.get('things', 'thing')).to eq item('thing', 1, payload)
      end
    end

    it 'takes kinds of any characters' do
      expect(store.upsert("Größe\0$:", 'key', version: 1, item: 'x')).to be_written
      expect(store.get("Größe\0$:", 'key')).to eq item('key', 1, 'x')
      expect(store.get("Größe\0$", 'key')).to be_nil
    end

    it 'takes text of any encoding that UTF-8 has the characters of' do
      store.upsert('features', 'Grüße'.encode('ISO-8859-1'), version: 1, item: 'ä'.encode('UTF-16LE'))
      expect(store.get('features', 'Grüße'.b)).to eq item('Grüße', 1, 'ä')
    end

    it 'writes the rows of every SDK' do
      store.upsert('features', 'flag', version: 3, item: flag)
      expect(rows.get('features', 'flag')).to eq('version' => { 'N' => '3' }, 'item' => { 'S' => flag })
    end

    [1, 2].each do |version|
      it "refuses version #{version} over version 2, with the stored item" do
        store.upsert('features', 'flag', version: 2, item: flag)
        refused = store.upsert('features', 'flag', version: version, item: '{"other":1}')
        expect(refused).to have_attributes(outcome: :newer_exists, stored: item('flag', 2, flag), written?: false)
        expect(store.get('features', 'flag')).to eq item('flag', 2, flag)
      end
    end

    [0, 2**31, (2**53) + 1, (2**63) - 1].each do |version|
      it "takes the version #{version}" do
        store.upsert('features', 'flag', version: version, item: flag)
        expect(store.get('features', 'flag')).to eq item('flag', version, flag)
      end
    end

    it 'does not write an item over 400 KB, and keeps the older row' do
      store.upsert('features', 'flag', version: 1, item: flag)
      expect(store.upsert('features', 'flag', version: 2, item: 'x' * 400_000).outcome).to eq :too_large
      expect(store.get('features', 'flag')).to eq item('flag', 1, flag)
    end

    it 'keeps prefixes apart' do
      first = open_store(prefix: "#{prefix}-a")
      second = open_store(prefix: "#{prefix}-b")
      first.upsert('features', 'flag', version: 1, item: flag)
      expect([second.get('features', 'flag'), second.all('features')]).to eq [nil, {}]
    end
  end

  describe 'deletions' do
    it 'has a deleted item as deleted' do
      store.upsert('features', 'flag', version: 1, item: flag)
      expect(store.delete('features', 'flag', version: 2)).to be_written
      expect(store.get('features', 'flag')).to eq deleted('flag', 2)
      expect(store.all('features')).to eq('flag' => deleted('flag', 2))
    end

    it 'keeps a deletion in the way of older versions' do
      store.delete('features', 'flag', version: 2)
      refused = store.upsert('features', 'flag', version: 1, item: flag)
      expect([refused.outcome, refused.stored]).to eq [:newer_exists, deleted('flag', 2)]
    end

    {
      'null' => { item: { S: 'null' } },
      'keyed' => { item: { S: '{"key":"flag","version":5,"deleted":true}' } },
      'keyless' => { item: { S: '{"version":5,"deleted":true}' } },
      'full' => { item: { S: '{"key":"$deleted","version":5,"deleted":true,"rules":[]}' } },
      'without an item' => {},
      'by an attribute' => { item: { S: flag }, deleted: { BOOL: true } }
    }.each do |form, attributes|
      it "reads the #{form} tombstone" do
        rows.put('features', 'flag', version: { N: '5' }, **attributes)
        expect(store.get('features', 'flag')).to eq deleted('flag', 5)
        expect(store.all('features')).to eq('flag' => deleted('flag', 5))
      end
    end
  end

  describe 'all items' do
    it 'come by key' do
      items = Array.new(100) { |number| item("flag-#{number}", number, %({"version":#{number}})) }
      store.init('features' => items)
      expect(store.all('features')).to eq(items.to_h { |one| [one.key, one] })
    end

    it 'are none where there is none' do
      expect(store.all('features')).to eq({})
    end

    it 'all come where they do not fit one answer' do
      items = Array.new(120) { |number| item("flag-#{number}", 1, 'x' * 20_000) }
      store.init('things' => items)
      expect(store.all('things').length).to eq 120
    end

    it 'are not hidden by one that cannot be read' do
      store.upsert('features', 'good', version: 1, item: flag)
      rows.put('features', 'bad', version: { N: '1' }, item: { B: 'AA==' })
      expect(store.all('features')).to eq('good' => item('good', 1, flag))
      expect(store.get('features', 'bad')).to be_nil
      expect(store.events.map(&:message)).to include(/bad/)
    end
  end

  describe 'whole data sets' do
    it 'replace what is there, and mark the store' do
      store.upsert('features', 'old', version: 9, item: flag)
      store.upsert('others', 'untouched', version: 9, item: flag)
      expect(store).not_to be_initialized
      report = store.init('features' => [item('new', 1, flag)], 'segments' => [item('segment', 1, '{}')])
      expect(report).to eq Flagstore::InitReport.new(2, 0, 1, 0, [], {}, {}, {})
      expect(store).to be_initialized
      expect(store.all('features')).to eq('new' => item('new', 1, flag))
      expect(store.all('segments')).to eq('segment' => item('segment', 1, '{}'))
      expect(store.get('others', 'untouched')).to eq item('untouched', 9, flag)
      expect(rows.get('$inited', "#{prefix}:$inited")).to eq({})
    end

    it 'write nothing when nothing differs' do
      data = { 'features' => Array.new(30) { |number| item("flag-#{number}", 1, flag) } }
      store.init(data)
      before = store.statistics[:write_units]
      expect(store.init(data)).to eq Flagstore::InitReport.new(0, 30, 0, 0, [], {}, {}, {})
      expect(store.statistics[:write_units]).to eq before
    end

    it 'leave a newer row alone' do
      store.init('features' => [item('flag', 7, flag)])
      report = store.init('features' => [item('flag', 6, '{}')])
      expect(report.kept_newer).to eq 1
      expect(report.kept).to eq(newer: Flagstore::Reason.new(1, [%w[features flag]]))
      expect(store.get('features', 'flag')).to eq item('flag', 7, flag)
    end

    it 'may hold deletions' do
      store.init('features' => [deleted('flag', 3)], 'segments' => [])
      expect(store.get('features', 'flag')).to eq deleted('flag', 3)
    end

    it 'take what another store read' do
      store.init('features' => [item("Grüße\0", 1, flag), deleted('gone', 2)])
      copy = open_store(prefix: "#{prefix}-copy")
      copy.init('features' => store.all('features').values)
      expect(copy.all('features')).to eq store.all('features')
    end

    it 'report items over 400 KB and store the rest' do
      report = store.init('features' => [item('huge', 1, 'x' * 400_000), item('small', 1, flag)])
      expect(report.written).to eq 1
      expect(report.too_large).to match [have_attributes(kind: 'features', key: 'huge', bytes: be > 400_000)]
      expect(store.all('features').keys).to eq ['small']
      expect(store).to be_initialized
    end

    [{}, { 'features' => [] }, { features: [], segments: [] }].each do |data|
      it "initialise with nothing, #{data}" do
        expect(store.init(data)).to eq Flagstore::InitReport.new(0, 0, 0, 0, [], {}, {}, {})
        expect(store).to be_initialized
      end
    end

    {
      "an SDK's" => '{"features":{"flag": {"key":"flag" , "version":1}},"segments":{}}',
      "latest-all's" => '{"flags":{"flag": {"key":"flag" , "version":1}}}',
      "a stream's" => '{"path":"/","data":{"flags":{"flag": {"key":"flag" , "version":1}},"segments":{}}}'
    }.each do |whose, json|
      it "may be #{whose} JSON" do
        expect(store.init_json(json).written).to eq 1
        expect(store.get('features', 'flag').item).to eq '{"key":"flag" , "version":1}'
      end
    end

    it 'are seen by other stores' do
      other = open_store(shared: false)
      expect(other).not_to be_initialized
      store.init('features' => [])
      expect(other).to be_initialized
    end
  end

  describe 'availability and big segments' do
    it 'is available where the table answers' do
      expect(store).to be_available
    end

    it 'has nil where big segments never were' do
      expect([store.big_segments_metadata, store.big_segments_membership('hash')]).to eq [nil, nil]
    end

    it 'tells when big segments were written' do
      rows.put_special('big_segments_metadata', synchronizedOn: { N: '1700000000123' })
      expect(store.big_segments_metadata).to eq 1_700_000_000_123
    end

    it 'has included win over excluded' do
      rows.put('big_segments_user', 'hash', included: { SS: %w[a.g1 é.g2] }, excluded: { SS: %w[a.g1 b.g1] })
      expect(store.big_segments_membership('hash')).to eq('a.g1' => true, 'é.g2' => true, 'b.g1' => false)
    end
  end

  describe 'the cache, statistics and events' do
    it 'sees the table at every read without a cache' do
      expect(store.get('features', 'flag')).to be_nil
      open_store(shared: false).upsert('features', 'flag', version: 1, item: flag)
      expect(store.get('features', 'flag').version).to eq 1
    end

    it 'answers from the cache until it is cleared' do
      cached = open_store(cache_ttl_ms: -1)
      store.upsert('features', 'flag', version: 1, item: flag)
      expect(cached.get('features', 'flag').version).to eq 1
      store.upsert('features', 'flag', version: 2, item: flag)
      expect(cached.get('features', 'flag').version).to eq 1
      expect(cached.statistics[:hits]).to eq 1
      cached.clear_cache
      expect(cached.get('features', 'flag').version).to eq 2
    end

    it 'shares one live store between equal options' do
      second = open_store
      store.upsert('features', 'flag', version: 1, item: flag)
      store.close
      expect(second.statistics[:requests]).to be >= 1
      expect(open_store(shared: false).statistics[:requests]).to eq 0
    end

    it 'counts requests and units' do
      store.upsert('features', 'flag', version: 1, item: flag)
      store.get('features', 'flag')
      expect(store.statistics).to include(requests: 2, errors: 0, write_units: be >= 1, read_units: be >= 1)
    end

    it 'has the statistics that the header and the documentation name' do
      header = File.read("#{REPOSITORY}/include/flagstore.h")
      documented = header[/ What the store did since.*?Errors:/m].scan(/`(\w+)`/).flatten - %w[store_string_free]
      comment = File.read(File.expand_path('../lib/flagstore/store.rb', __dir__), encoding: 'UTF-8')
      commented = comment[/# What the store did since.*?@return/m].scan(/\+(\w+)\+/).flatten - %w[cache_dir]
      names = store.statistics.keys.map(&:to_s)
      expect([documented.uniq.sort, commented.uniq.sort]).to eq [names.sort, names.sort]
    end

    it 'hands events to the logger after the call' do
      open_store(logger: Logger.new(logged)).upsert('features', 'huge-flag', version: 1, item: 'p4yl0ad' * 60_000)
      expect(logged.string).to match(/ERROR -- : .*huge-flag/)
      expect(logged.string).not_to match(/p4yl0ad|#{SECRET}/o)
    end

    it 'keeps events for whoever takes them without a logger' do
      store.upsert('features', 'huge-flag', version: 1, item: 'x' * 400_000)
      expect(store.events).to match [have_attributes(level: :error, message: /huge-flag/)]
      expect(store.events).to eq []
    end

    it 'keeps events from the log level on' do
      quiet = open_store(log_level: :off)
      quiet.upsert('features', 'huge-flag', version: 1, item: 'x' * 400_000)
      expect(quiet.events).to eq []
    end

    it 'lets the logger use the store' do
      seen = []
      logger = Logger.new(nil)
      using = open_store(logger: logger)
      allow(logger).to receive(:error) do |message|
        seen << message
        using.upsert('features', 'huge-flag', version: 1, item: 'x' * 400_000)
      end
      using.upsert('features', 'huge-flag', version: 1, item: 'x' * 400_000)
      expect(seen).to match [/huge-flag/]
    end

    { 'fails' => IOError, 'is none' => nil }.each do |words, failure|
      it "has the same results where the logger #{words}" do
        logger = failure ? Logger.new(nil) : $stdout
        %i[error warn info debug].each { |level| allow(logger).to receive(level).and_raise(failure) } if failure
        failing = open_store(logger: logger, log_level: 'debug')
        huge = Flagstore::Item.new(key: 'huge', version: 1, item: 'x' * 400_000)
        expect(failing.init('features' => [huge]).too_large.map(&:key)).to eq ['huge']
        expect(failing.upsert('features', 'huge', version: 1, item: huge.item).outcome).to eq :too_large
        expect(failing.get('features', 'huge')).to be_nil
        expect { failing.get('features', '') }.to raise_error(Flagstore::UsageError)
        expect(open_store(table: 'no-such-table', logger: logger).available?).to be false
      end
    end
  end

  it 'has an init win where the store was not initialised' do
    store.upsert('features', 'flag', version: 7, item: flag)
    report = store.init('features' => [item('flag', 6, '{}')])
    expect(report.written).to eq 1
    expect(report.replaced).to eq(not_initialised: Flagstore::Reason.new(1, [%w[features flag]]))
    expect(store.get('features', 'flag').version).to eq 6
  end

  it 'refuses an empty key alone and leaves it out of a data set' do
    expect { store.upsert('features', '', version: 1, item: 'x') }.to raise_error(Flagstore::UsageError, /empty/)
    report = store.init('features' => [item('', 1, 'x'), item('flag', 1, 'x')])
    expect(report.written).to eq 1
    expect(report.left_out).to eq(empty_key: Flagstore::Reason.new(1, [['features', '']]))
  end

  describe 'arguments that cannot be right' do
    [
      ['', 'key', 1, 'x', 'STORE_ERROR_EMPTY_KIND'],
      ['features', 'k' * 1025, 1, 'x', 'STORE_ERROR_KEY_TOO_LONG'],
      ['k' * 2049, 'key', 1, 'x', 'STORE_ERROR_KEY_TOO_LONG'],
      ['features', 'key', -1, 'x', 'STORE_ERROR_INVALID_VERSION'],
      ['features', 'key', 2**63, 'x', 'STORE_ERROR_INVALID_VERSION'],
      ['features', 'key', -(2**64) + 1, 'x', 'STORE_ERROR_INVALID_VERSION'],
      ['features', 'key', 1, '', 'STORE_ERROR_EMPTY_ITEM'],
      ['features', 'key', 1, nil, 'STORE_ERROR_EMPTY_ITEM'],
      ['features', "k\xff", 1, 'x', 'STORE_ERROR_INVALID_UTF8'],
      ['features', 'key', 1, "\xed\xa0\x80", 'STORE_ERROR_INVALID_UTF8']
    ].each do |kind, key, version, payload, name|
      it "are a usage error, #{name}: #{[kind[0, 9], key[0, 9], version, payload].inspect}" do
        [
          -> { store.upsert(kind, key, version: version, item: payload) },
          -> { store.init(kind => [item(key, version, payload)]) }
        ].each do |call|
          expect(&call).to raise_error(Flagstore::UsageError) { |error|
            expect([error.code_name, error.retriable?]).to eq [name, false]
          }
        end
        expect(store.statistics[:requests]).to eq 0
      end
    end

    {
      '' => 'STORE_ERROR_INVALID_JSON',
      '[]' => 'STORE_ERROR_INVALID_JSON',
      '{"flags":{"a":{"version":1,"p4yl0ad"}}}' => 'STORE_ERROR_INVALID_JSON',
      '{"flags":{"a":{}}}' => 'STORE_ERROR_INVALID_VERSION',
      '{"flags":{"a":{"version":1},"a":{"version":2}}}' => 'STORE_ERROR_DUPLICATE_KEY',
      '{"flags":{},"features":{}}' => 'STORE_ERROR_DUPLICATE_KEY'
    }.each do |json, name|
      it "are refused before anything is sent, #{name}: #{json}" do
        expect { store.init_json(json) }.to raise_error(Flagstore::UsageError) { |error|
          expect(error.code_name).to eq name
          expect(error.message).not_to include 'p4yl0ad'
        }
        expect(store.statistics[:requests]).to eq 0
      end
    end

    it 'are a TypeError where they are of another type' do
      expect { store.get('features', 5) }.to raise_error(TypeError, /key.*Integer/)
      expect { store.all(nil) }.to raise_error(TypeError, /kind.*NilClass/)
      expect { store.upsert('features', 'flag', version: 1.5, item: flag) }.to raise_error(TypeError, /version.*Float/)
      expect { store.init([]) }.to raise_error(TypeError, /Hash, not Array/)
      expect { store.init('features' => { 'flag' => item('flag', 1, flag) }) }.to raise_error(TypeError, /Item, not Array/)
    end
  end

  describe 'options' do
    {
      { tabel: 'x' } => %w[STORE_ERROR_UNKNOWN_OPTION tabel],
      { timeout_ms: '5' } => %w[STORE_ERROR_OPTION_TYPE timeout_ms],
      { shared: 1 } => %w[STORE_ERROR_OPTION_TYPE shared],
      { timeout_ms: 0 } => %w[STORE_ERROR_OPTION_VALUE timeout_ms],
      { endpoint: 'localhost:8000' } => %w[STORE_ERROR_OPTION_VALUE endpoint],
      { access_key_id: SECRET } => %w[STORE_ERROR_OPTION_VALUE secret_access_key],
      { log_level: 'loud' } => %w[STORE_ERROR_OPTION_VALUE log_level],
      { table: '' } => %w[STORE_ERROR_EMPTY_TABLE_NAME table],
      { table: '  ' } => %w[STORE_ERROR_EMPTY_TABLE_NAME table]
    }.each do |options, (name, mentioned)|
      it "are refused by name where they are wrong, #{options}" do
        expect { described_class.open(**{ table: 'flags', **options }) }
          .to raise_error(Flagstore::OptionError, /#{mentioned}/) { |error|
            expect(error.code_name).to eq name
            expect(error.message).not_to include SECRET
          }
      end
    end

    # The project's README is held to the code; this one to that.
    it 'have a row each in the README, with the default that the project gives' do
      defaults = lambda do |file, column|
        section = File.read(file, encoding: 'UTF-8').split(/^##+ Options$/)[1]
        section.scan(/^\| (`.*)\|$/).flatten.each_with_object({}) do |row, found|
          cells = row.split(' | ').map(&:strip)
          cells.first.scan(/`(\w+)`/) { |(name)| found[name.to_sym] ||= cells[column] }
        end
      end
      here = defaults.call(File.expand_path('../README.md', __dir__), 1)
      project = defaults.call("#{REPOSITORY}/README.md", 2)
      expect(here.slice(*option_names)).to eq project.slice(*option_names)
      expect(here.keys).to include(*option_names)
    end

    %i[max_connections soft_wait_ms write_concurrency].each do |name|
      it "take a number as #{name}" do
        open_store(name => 7).close
        expect { open_store(name => -1) }.to raise_error(Flagstore::OptionError, /#{name}/)
      end
    end

    it 'are the default where they are nil' do
      described_class.open(table: 'flags', prefix: nil, region: nil, timeout_ms: nil).close
    end

    it 'are a TypeError where they are no JSON' do
      [Object.new, 1.5, [], {}].each do |odd|
        expect { described_class.open(table: 'flags', region: odd) }.to raise_error(TypeError, /region.*#{odd.class}/)
      end
    end
  end

  describe 'closing' do
    it 'does nothing the second time' do
      2.times { expect(store.close).to be_nil }
      expect(store).to be_closed
    end

    it 'gives back the handle' do
      handle = store.instance_variable_get(:@handle).number
      store.close
      expect(Flagstore::Library.load.native.store_clear_cache(handle, nil)).to eq Flagstore::Library::INVALID_HANDLE
    end

    it 'is told by every call after it' do
      store.close
      [
        -> { store.get('features', 'flag') }, -> { store.all('features') },
        -> { store.upsert('features', 'flag', version: 1, item: flag) }, -> { store.init({}) }, -> { store.initialized? },
        -> { store.big_segments_metadata }, -> { store.big_segments_membership('hash') }, -> { store.statistics },
        -> { store.clear_cache }, -> { store.events }
      ].each do |call|
        expect(&call).to raise_error(Flagstore::UsageError, /table "flags" is closed/) { |error|
          expect(error.code_name).to eq 'STORE_ERROR_INVALID_HANDLE'
        }
      end
      expect(store.available?).to be false
    end

    it 'is done by a block, which gives its value' do
      inside = nil
      value = described_class.open(table: TABLE, **endpoint.options) do |opened|
        inside = opened
        opened.available?
      end
      expect([value, inside.closed?]).to eq [true, true]
      expect { described_class.open(table: TABLE) { |opened| (inside = opened) && raise('no') } }.to raise_error('no')
      expect(inside).to be_closed
    end

    it 'is done for a store that is forgotten' do
      handles = Array.new(50) do |number|
        forgotten = described_class.open(table: TABLE, prefix: "#{prefix}-#{number}", region: 'us-east-1')
        forgotten.instance_variable_get(:@handle).number
      end
      GC.start
      native = Flagstore::Library.load.native
      gone = handles.count { |handle| native.store_clear_cache(handle, nil) == Flagstore::Library::INVALID_HANDLE }
      # The machine's stack may still hold one or two.
      expect(gone).to be >= 45
    end

    it 'leaves calls in flight alone' do
      store.upsert('features', 'flag', version: 1, item: flag)
      started = Queue.new
      readers = Array.new(8) do
        Thread.new do
          started << true
          loop { raise 'wrong' unless store.get('features', 'flag').item == flag }
        rescue Flagstore::UsageError => e
          e.code_name
        end
      end
      8.times { started.pop }
      store.close
      expect(readers.map { |reader| reader.join(30)&.value }).to eq ['STORE_ERROR_INVALID_HANDLE'] * 8
    end
  end

  it 'is not copied' do
    [-> { store.dup }, -> { store.clone }, -> { Marshal.dump(store) }].each do |copy|
      expect(&copy).to raise_error(TypeError, /open one in each process/)
    end
  end

  it 'shows no credential' do
    expect(store.inspect).to match(/\A#<Flagstore::Store table="flags" prefix="#{prefix}" open>\z/)
  end

  it 'has items for pattern matching and hashes' do
    case item('flag', 1, flag)
    in { key: 'flag', version: 1, deleted: false } then nil
    end
    expect([item('a', 1), item('a', 1), item('a', 2)].uniq.length).to eq 2
  end
end
