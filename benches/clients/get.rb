# frozen_string_literal: true

# Gets through the Ruby binding, and the least that a cached one can cost: the emptiest call of the ffi gem, and a copy.
#
#     get.rb flagstore URL CACHE_TTL_MS
#     get.rb floor LIBRARY BYTES
#
# The protocol is that of c/blocks.h, without the time of the processor.

$LOAD_PATH.unshift(File.expand_path('../../bindings/ruby/lib', __dir__))
require 'ffi'

def flagstore(url, ttl)
  require 'flagstore'
  store = Flagstore::Store.new(table: 'flags', endpoint: url, region: 'us-east-1', access_key_id: 'bench',
                               secret_access_key: 'bench', cache_ttl_ms: ttl)
  ->(count) { count.times { store.get('features', 'flag-000000') } }
end

def floor_of(path, bytes)
  library = Module.new do
    extend FFI::Library
    ffi_lib path
    attach_function :store_abi_version, [], :uint32
  end
  payload = FFI::MemoryPointer.new(bytes)
  lambda do |count|
    count.times do
      library.store_abi_version
      payload.read_string(bytes).force_encoding(Encoding::UTF_8)
    end
  end
end

what, first, second = ARGV
calls = what == 'flagstore' ? flagstore(first, second.to_i) : floor_of(first, second.to_i)
$stdout.sync = true
puts 'ready'
$stdin.each_line do |line|
  count = line.to_i
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  calls.call(count)
  wall = Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  puts format('{"calls":%<count>d,"wall":%<wall>.9f}', count: count, wall: wall)
end
