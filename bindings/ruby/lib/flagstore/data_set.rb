# frozen_string_literal: true

require_relative 'item'
require_relative 'library'
require_relative 'text'

module Flagstore
  # A data set laid out in memory as +store_init+ reads it. What it points to lives as long as it does.
  #
  # @api private
  class DataSet
    # @return [FFI::MemoryPointer] an array of +store_collection+
    attr_reader :pointer

    # @return [Integer]
    attr_reader :length

    # @param collections [Hash{String, Symbol => Enumerable<Item>}]
    def initialize(collections)
      raise TypeError, "a data set is a Hash, not #{collections.class}" unless collections.is_a?(Hash)

      @texts = String.new(encoding: Encoding::BINARY)
      rows = collections.map { |kind, items| [place('kind', kind), items.map { |item| row(item) }] }
      # Addresses are known once the last text is in its place.
      @memory = copied(@texts)
      @items = rows.map { |_kind, items| array(items) }
      @pointer = copied(rows.each_with_index.map { |(kind, items), index| collection(kind, items, index) }.join)
      @length = rows.length
    end

    private

    def place(name, text)
      data = Text.utf8(name, text)
      start = @texts.bytesize
      @texts << data.b
      [start, data.bytesize]
    end

    def row(item)
      raise TypeError, "a data set takes Flagstore::Item, not #{item.class}" unless item.is_a?(Item)

      key = place('key', item.key)
      payload = place('item', item.item || '')
      [*key, *payload, Text.version(item.version, item.key), item.deleted? ? 1 : 0]
    end

    def array(rows)
      base = @memory.address
      copied(rows.map do |key, key_length, item, length, version, deleted|
        [base + key, key_length, base + item, length, version, deleted, 0, 0].pack(Library::ITEM)
      end.join)
    end

    def collection((kind, kind_length), items, index)
      [@memory.address + kind, kind_length, @items[index].address, items.length].pack(Library::COLLECTION)
    end

    def copied(bytes)
      # One byte at least: an address is wanted for nothing, too.
      FFI::MemoryPointer.new(bytes.bytesize + 1).put_bytes(0, bytes)
    end
  end
end
