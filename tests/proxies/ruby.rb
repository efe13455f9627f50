# frozen_string_literal: true

# One call of one process, as in python.py.

require 'json'
require 'flagstore'

begin
  Flagstore::Store.open(**JSON.parse(ARGV.fetch(0), symbolize_names: true)) do |store|
    puts store.get('features', 'flag').item
  end
rescue Flagstore::Error => e
  puts e.message
  exit 1
end
