# frozen_string_literal: true

# Reads out of the cache, by the extension and by ffi: the two give the same, whatever they are asked for.
RSpec.describe Flagstore::Hits do
  library = Flagstore::Library.load
  compiled = Dir["#{described_class::COMPILED}.*"].any?
  ways = { 'ffi' => described_class::ByFfi.new(library.native) }
  ways['the extension'] = library.hits if compiled

  it 'goes by the extension' do
    skip 'the extension is not compiled: bindings/ruby/compile' unless compiled
    expect(library.hits).to be Flagstore::CompiledHits
  end

  ways.each do |name, hits|
    context "by #{name}" do
      let(:store) { open_store(cache_ttl_ms: -1, shared: false) }
      let(:number) { store.instance_variable_get(:@handle).number }

      it 'gives the item as a read past the cache does' do
        { 'flag' => 'é🚩', 'nul' => "a\0b", 'large' => 'x' * 100_000 }.each do |key, payload|
          store.upsert('features', key, version: (2**63) - 1, item: payload)
          store.clear_cache
          expect(hits.get(number, 'features', key)).to eq :not_cached
          asked = store.get('features', key)
          hit = hits.get(number, 'features', key)
          expect([hit, hit.hash, hit.instance_variables]).to eq [asked, asked.hash, asked.instance_variables]
          expect([hit, hit.key, hit.item].map(&:frozen?)).to eq [true, true, true]
          expect([hit.item.encoding, Ractor.shareable?(hit)]).to eq [Encoding::UTF_8, true]
        end
      end

      it 'knows what is not there, and what was deleted' do
        store.get('features', 'none')
        expect(hits.get(number, 'features', 'none')).to be_nil
        store.delete('features', 'gone', version: 3)
        store.get('features', 'gone')
        expect(hits.get(number, :features, :gone)).to have_attributes(version: 3, item: nil, deleted?: true, stale?: false)
      end

      it 'keeps the key as it was, also if its owner changes it' do
        store.upsert('features', 'flag', version: 1, item: '{}')
        store.get('features', 'flag')
        key = +'flag'
        hit = hits.get(number, 'features', key)
        key << 's'
        expect(hit.key).to eq 'flag'
      end

      it 'leaves what the library refuses to whoever asks next' do
        expect(hits.get(0, 'features', 'flag')).to eq :not_cached
        expect(hits.get(number, '', 'flag')).to eq :not_cached
      end

      it 'holds nothing of what it gave' do
        store.upsert('features', 'flag', version: 1, item: 'x' * 300_000)
        resident = -> { File.read('/proc/self/status')[/^VmRSS:\s+(\d+)/, 1].to_i }
        # Each time another row, which a hit that was not given back would keep in memory.
        read = lambda do
          store.clear_cache
          store.get('features', 'flag')
          20.times { hits.get(number, 'features', 'flag') }
          GC.start
        end
        5.times { read.call }
        before = resident.call
        60.times { read.call }
        expect(resident.call - before).to be < 9_000
      end
    end
  end

  it 'is asked by a store that says what is wrong with its arguments' do
    store = open_store(cache_ttl_ms: -1)
    store.upsert('features', 'é', version: 1, item: '{}')
    ['é'.encode('UTF-16LE'), 'é'.encode('ISO-8859-1'), 'é'.b].each do |key|
      expect(store.get('features', key)).to eq store.get('features', 'é')
    end
    expect { store.get('features', "\xff") }.to raise_error(Flagstore::UsageError, /encoding/)
    expect { store.get(1, 'flag') }.to raise_error(TypeError, /String or Symbol/)
    expect { store.get('', 'flag') }.to raise_error(Flagstore::UsageError)
    store.close
    expect { store.get('features', 'é') }.to raise_error(Flagstore::UsageError, /closed/)
  end
end
