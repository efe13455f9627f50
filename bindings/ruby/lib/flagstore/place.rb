# frozen_string_literal: true

require_relative 'item'
require_relative 'library'

module Flagstore
  # A place in memory that a call writes its result to, zeroed: freeing what was never written does nothing.
  #
  # @api private
  class Place
    # @return [FFI::MemoryPointer]
    attr_reader :pointer

    def initialize(native, size)
      @native = native
      @pointer = FFI::MemoryPointer.new(size)
    end

    # Takes out of the result of an asynchronous call what belongs here, for as long as the block lasts.
    #
    # @yieldparam place [Place] this one
    # @return [Object] what the block returns
    def of(result)
      @native.public_send(self.class::RESULT, result, @pointer, nil)
      yield self
    ensure
      free
    end

    # Gives back to the library what the place holds.
    def free; end
  end

  # A +store_item+.
  #
  # @api private
  class ItemPlace < Place
    RESULT = :store_result_item

    def initialize(native)
      super(native, Library::ITEM_SIZE)
    end

    # @param key [String] as it was asked for
    # @return [Item]
    def take(key)
      _key, _key_length, address, length, version, deleted, stale, = @pointer.get_bytes(0, Library::ITEM_SIZE)
                                                                             .unpack(Library::ITEM)
      payload = deleted.zero? ? Library.text(address, length) : nil
      Item.new(key: key, version: version, item: payload, deleted: deleted != 0, stale: stale != 0)
    end

    def free
      @native.store_item_free(@pointer)
    end
  end

  # A pointer to something that a function of the library frees.
  #
  # @api private
  class PointerPlace < Place
    def initialize(native, free_function)
      super(native, FFI::Pointer.size)
      @free_function = free_function
    end

    # @return [FFI::Pointer]
    def read
      @pointer.read_pointer
    end

    def free
      @native.public_send(@free_function, read)
      @pointer.write_pointer(nil)
    end
  end

  # A string that the library gives, ending with NUL.
  #
  # @api private
  class StringPlace < PointerPlace
    RESULT = :store_result_report

    def initialize(native)
      super(native, :store_string_free)
    end

    # @return [String] frozen, UTF-8
    def take
      read.read_string.force_encoding(Encoding::UTF_8).freeze
    end
  end

  # The items of a kind.
  #
  # @api private
  class ItemsPlace < PointerPlace
    RESULT = :store_result_items

    def initialize(native)
      super(native, :store_items_free)
    end

    # @return [Hash{String => Item}]
    def take
      first = FFI::MemoryPointer.new(:pointer)
      count = FFI::MemoryPointer.new(:size_t)
      @native.store_items_view(read, first, count, nil)
      length = count.read(:size_t)
      # One read of the whole array is several times faster than a struct object for each of its items.
      array = length.zero? ? '' : first.read_pointer.get_bytes(0, length * Library::ITEM_SIZE)
      Array.new(length) { |place| item(array, place) }.to_h { |item| [item.key, item] }
    end

    private

    def item(array, place)
      key, key_length, address, length, version, deleted, stale, =
        array.unpack(Library::ITEM, offset: place * Library::ITEM_SIZE)
      payload = deleted.zero? ? Library.text(address, length) : nil
      Item.new(key: Library.text(key, key_length), version: version, item: payload, deleted: deleted != 0,
               stale: stale != 0)
    end
  end

  # The big segments that name one context.
  #
  # @api private
  class MembershipPlace < PointerPlace
    RESULT = :store_result_membership

    def initialize(native)
      super(native, :store_membership_free)
    end

    # @return [Hash{String => Boolean}]
    def take
      membership = read
      segment = FFI::MemoryPointer.new(:pointer)
      length = FFI::MemoryPointer.new(:size_t)
      included = FFI::MemoryPointer.new(:int32)
      @native.store_membership_count(membership).times.to_h do |place|
        @native.store_membership_entry(membership, place, segment, length, included, nil)
        [Library.text(segment.read_pointer.address, length.read(:size_t)), included.read_int32 == 1]
      end
    end
  end
end
