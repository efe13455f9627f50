# frozen_string_literal: true

# host_gets.py in Ruby.

$LOAD_PATH.unshift(File.expand_path('../../bindings/ruby/lib', __dir__))
require 'flagstore'
require 'json'

Flagstore::Store.open(**JSON.parse(ARGV[0], symbolize_names: true)) do |store|
  $stdout.sync = true
  puts 'ready'
  $stdin.each_line do
    ARGV[1].to_i.times { |number| raise 'a flag is missing' unless store.get('features', format('flag-%06d', number)).item }
    puts JSON.generate(requests: store.statistics[:requests])
  end
end
