# frozen_string_literal: true

require 'rbconfig'

require_relative 'item'
require_relative 'place'
require_relative 'text'

module Flagstore
  # Reads out of the library's cache: an {Item}, nil for a row that is known not to be there, or +:not_cached+, after which
  # whoever asks DynamoDB says what may be wrong with the arguments. By the extension +hits+ where it was compiled for this
  # Ruby, else by ffi, which takes several times longer.
  #
  # @api private
  module Hits
    # Each minor version of Ruby has a file of its own.
    COMPILED = File.expand_path("#{RbConfig::CONFIG['ruby_version'][/\A\d+\.\d+/]}/hits", __dir__)

    # @return [#get] takes the number of a store, kind and key
    def self.of(library)
      require COMPILED
      CompiledHits.use(*%i[store_get_cached store_item_free].map { |name| library.address(name) }, Item)
      CompiledHits
    rescue LoadError
      ByFfi.new(library.native)
    end

    # What the extension does, by ffi.
    class ByFfi
      # Places that no read uses: making one costs as much as the read.
      KEPT = 8
      private_constant :KEPT

      def initialize(native)
        @native = native
        @spare = []
      end

      def get(number, kind, key)
        kind = Text.utf8('kind', kind)
        key = Text.utf8('key', key)
        place = @spare.pop || ItemPlace.new(@native)
        Thread.handle_interrupt(Library::AFTERWARDS) do
          code = @native.store_get_cached(number, kind, kind.bytesize, key, key.bytesize, place.pointer, nil)
          next :not_cached unless [Library::OK, Library::NOT_FOUND].include?(code)

          place.take(key) if code == Library::OK
        ensure
          # Here, since a signal's handler can raise in the middle of the call.
          place.free
          @spare.push(place) if @spare.length < KEPT
        end
      end
    end
  end
end
