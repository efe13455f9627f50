# frozen_string_literal: true

module Flagstore
  # A flag, segment or other item: what {Store#get} returns and {Store#init} takes. Immutable.
  class Item
    # @return [String]
    attr_reader :key

    # @return [Integer] decides which of two writes wins: 0 or more
    attr_reader :version

    # @return [String, nil] the payload, exactly as it was stored: frozen, UTF-8; nil for a deleted item
    attr_reader :item

    # @param item [String, nil] the payload; nil for a deletion
    # @param stale [Boolean] see {#stale?}
    def initialize(key:, version:, item: nil, deleted: false, stale: false)
      # Copies of what others could change, so that every Ractor may have an item.
      @key = key.frozen? ? key : key.dup.freeze
      @version = version
      @item = item.frozen? ? item : item.dup.freeze
      @deleted = deleted
      @stale = stale
      freeze
    end

    # Whether the item was deleted.
    def deleted?
      @deleted
    end

    # Whether it is an older value, out of a cache or of what the store was told, since DynamoDB could not be asked.
    def stale?
      @stale
    end

    # @return [Hash{Symbol => Object}]
    def to_h
      { key: key, version: version, item: item, deleted: deleted?, stale: stale? }
    end

    # For +case item in { version:, item: }+.
    def deconstruct_keys(_names)
      to_h
    end

    def ==(other)
      other.is_a?(Item) && to_h == other.to_h
    end
    alias eql? ==

    def hash
      to_h.hash
    end
  end

  # What came of {Store#upsert}, and the item that stood in its way.
  #
  # +outcome+ is +:written+ (the table holds the new item), +:newer_exists+ (the table held this version or a newer one,
  # which stays, and which is +stored+) or +:too_large+ (over DynamoDB's 400 KB; the older row, if any, stays).
  UpsertResult = Struct.new(:outcome, :stored) do
    # Whether the table holds the new item.
    def written?
      outcome == :written
    end
  end

  # An item that an init left out because it is over DynamoDB's 400 KB.
  TooLarge = Struct.new(:kind, :key, :bytes)

  # What an init did, in rows. +kept_newer+ counts those that stayed because they were newer than the data set;
  # +too_large+ is an array of {TooLarge}. +replaced+, +kept+ and +left_out+ are hashes of {Reason} by the reasons that
  # occurred, in the words of flagstore.h.
  InitReport = Struct.new(:written, :unchanged, :deleted, :kept_newer, :too_large, :replaced, :kept, :left_out)

  # How many rows something happened to for one reason, and the kind and key of the first ten.
  Reason = Struct.new(:number, :keys)

  # What {Store.doctor} found: how many +problems+ and +warnings+ there are, and the +findings+, an array of {Finding}.
  Report = Struct.new(:problems, :warnings, :findings)

  # One thing that was looked at. +check+ says what, such as +"credentials"+ (the page docs/doctor.md has them all), +level+
  # is +:ok+, +:note+, +:warning+ or +:problem+. +found+ and +remedy+ are sentences that hold no secret; +remedy+ is nil
  # where there is nothing to do.
  Finding = Struct.new(:check, :level, :found, :remedy)

  # Something that a store reports besides the results of calls. +level+ is +:error+, +:warn+, +:info+ or +:debug+.
  Event = Struct.new(:level, :message)
end
