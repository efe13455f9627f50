# frozen_string_literal: true

# Many threads on one store: everyone gets what they asked for.
RSpec.describe Flagstore::Store do
  threads = 64
  rounds = 25

  # Runs the block on threads that start together; gives their values, or raises what one raised.
  define_method(:together) do |count, &block|
    gate = Queue.new
    workers = Array.new(count) do |number|
      Thread.new do
        gate.pop
        block.call(number)
      end
    end
    workers.each { |worker| worker.report_on_exception = false }
    gate.close
    workers.map(&:value)
  end

  { 'without a cache' => 0, 'with a short-lived cache' => 50, 'with a cache' => -1 }.each do |how, cache_ttl_ms|
    it "gives every thread its own answer #{how}" do
      # As patient as any call: on a busy machine an older value would stand in for one that takes longer than the soft wait.
      store = open_store(cache_ttl_ms: cache_ttl_ms, soft_wait_ms: 5_000)
      echo = lambda do |number|
        key = "flag-#{number}"
        (1..rounds).each do |version|
          payload = %({"owner":#{number},"version":#{version},"padding":"#{(97 + (number % 26)).chr * number}"})
          item = Flagstore::Item.new(key: key, version: version, item: payload)
          raise "#{key} was not written" unless store.upsert('features', key, version: version, item: payload).written?

          found = store.get('features', key)
          raise "#{key} is another: #{found.to_h}, not #{item.to_h}" unless found == item

          refused = store.upsert('features', key, version: version - 1, item: 'older')
          raise "#{key} was refused for another" unless refused.stored == item
          raise "somebody's" if store.get('features', "nobody's-#{number}")
        end
        number
      end
      expect(together(threads, &echo)).to eq (0...threads).to_a
      versions = store.all('features').transform_values(&:version)
      expect(versions).to eq((0...threads).to_h { |number| ["flag-#{number}", rounds] })
    end
  end

  it 'has the highest version win of racing writers' do
    results = together(threads) do |number|
      Array.new(4) do |round|
        version = (number * 4) + round + 1
        [version, store.upsert('features', 'contested', version: version, item: version.to_s)]
      end
    end
    expect(store.get('features', 'contested')).to have_attributes(version: threads * 4, item: (threads * 4).to_s)
    results.flatten(1).each do |version, result|
      expect(result.written? || result.stored.version >= version).to be true
    end
  end

  it 'may be opened and closed by many threads' do
    store.upsert('features', 'flag', version: 1, item: 'payload')
    found = together(16) do |number|
      Array.new(4) do
        opened = described_class.open(table: TABLE, prefix: prefix, shared: number.even?, **endpoint.options)
        opened.get('features', 'flag').item
      ensure
        opened.close
      end
    end
    expect(found.flatten.uniq).to eq ['payload']
  end

  it 'may be closed by many threads at once' do
    20.times do
      store = open_store(shared: false)
      expect(together(8) { store.close }).to eq [nil] * 8
    end
  end

  it 'does not mind that the caller changes its arguments meanwhile' do
    faults = Endpoint.faults
    store = open_store(endpoint: faults.url, timeout_ms: 20_000, attempt_timeout_ms: 20_000, shared: false)
    key = 'k' * 512
    store.upsert('features', key, version: 1, item: 'payload')
    faults.script({ do: 'hold' })
    reader = Thread.new { store.get('features', key) }
    faults.wait_for('hold')
    key.replace('x' * 2000)
    GC.start
    faults.release
    expect(reader.value).to have_attributes(key: 'k' * 512, item: 'payload')
  ensure
    faults.reset
  end
end
