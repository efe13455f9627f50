# frozen_string_literal: true

# As smoke.py.

require 'flagstore'

def expect(what, holds)
  abort "not so: #{what}" unless holds
end

PAYLOAD = '{"key":"flag","version":%d,"salt":"ä漢"}'
endpoint, prefix = ARGV
options = { endpoint: endpoint, region: 'eu-west-1', access_key_id: 'local', secret_access_key: 'local' }
Flagstore::Store.open(table: 'flags', prefix: prefix, **options) do |store|
  expect 'not initialized', !store.initialized?
  expect 'one row', store.init_json("{\"flags\":{\"flag\":#{format(PAYLOAD, 1)}}}").written == 1
  expect 'the first version', store.get('features', 'flag').item == format(PAYLOAD, 1)
  expect 'written', store.upsert('features', 'flag', version: 2, item: format(PAYLOAD, 2)).written?
  expect 'the second version', store.get('features', 'flag').item == format(PAYLOAD, 2)
  expect 'initialized', store.initialized?
end
puts "used #{Flagstore.library_version} #{Flagstore::Library.load.path}"
