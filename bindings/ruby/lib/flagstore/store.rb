# frozen_string_literal: true

require 'json'

require_relative 'data_set'
require_relative 'error'
require_relative 'handle'
require_relative 'harmless_logger'
require_relative 'hits'
require_relative 'item'
require_relative 'library'
require_relative 'options'
require_relative 'place'
require_relative 'text'

module Flagstore
  # One table, or one prefix of it.
  #
  # Any thread may use it, also several at the same time, and so may a forked child. Every call ends at the deadline that
  # the options set for it. While it waits, other threads and fibers run; +Timeout+, +Thread#kill+ and signals that end the
  # process or raise cancel it. Errors are {Error}s. Kinds and keys are Strings or Symbols.
  #
  # @example
  #   Flagstore::Store.open(table: 'flags', prefix: 'production', region: 'eu-west-1') do |store|
  #     flag = store.get('features', 'my-flag')
  #   end
  class Store
    LEVELS = { 1 => :error, 2 => :warn, 3 => :info, 4 => :debug }.freeze
    private_constant :LEVELS

    # How often reads that go well look for events, in seconds: a look costs about as much as a read out of the cache.
    BETWEEN_LOOKS = 0.1
    private_constant :BETWEEN_LOOKS

    # Opens a store; with a block, closes it at the end of the block. Parameters and errors as for {#initialize}.
    #
    # @yieldparam store [Store]
    # @return [Store, Object] the store, or what the block returns
    def self.open(**options)
      store = new(**options)
      return store unless block_given?

      begin
        yield store
      ensure
        store.close
      end
    end

    # Looks at everything between this process and its flags, says what is wrong and what to do about it.
    #
    # Takes what opening a store takes, but for the logger, and opens none. It reads all flags and segments once, and asks
    # for two writes that cannot succeed; nothing is written or cached. Whatever is wrong with table, network or credentials
    # stands in the report. Blocks for at most four times +timeout_ms+ and twice +all_timeout_ms+. Other threads and fibers
    # run meanwhile; +Timeout+ and signals end the waiting, and what was begun ends by itself, for which an exit waits.
    #
    # @example
    #   Flagstore::Store.doctor(table: 'flags', prefix: 'production').findings.each do |finding|
    #     puts [finding.level, finding.check, finding.found, finding.remedy].compact.join('  ')
    #   end
    #
    # @return [Report]
    # @raise [OptionError] an option is unknown, of the wrong type or out of range
    # @raise [UnavailableError] not even that could be found out in time
    # @raise [LibraryError] +libflagstore+ cannot be loaded
    def self.doctor(table:, **options)
      library = Library.load
      text = Options.text({ table: table, **options })
      place = StringPlace.new(library.native)
      asked = Thread.new do
        Thread.current.report_on_exception = false
        library.call(:store_doctor_wait, text, text.bytesize, place.pointer, place: place) { place.take }
      end
      found(JSON.parse(asked.value))
    end

    def self.found(report)
      findings = report['findings'].map do |finding|
        Finding.new(finding['check'], finding['level'].to_sym, finding['found'], finding['remedy'])
      end
      Report.new(report['problems'], report['warnings'], findings)
    end
    private_class_method :found

    # Opening does no network I/O and needs no table; a wrong one shows at the first call.
    #
    # @param table [String] name or ARN of the table, whose key is +namespace+ (string) and +key+ (string)
    # @param prefix [String, nil] put before every namespace; nil or empty for none
    # @param logger [Logger, nil] where events go after calls, by its methods +error+, +warn+, +info+ and +debug+; one
    #   that fails changes the result of no call; without one they wait for {#events}
    # @param options [Hash{Symbol => String, Integer, Boolean, nil}] see the table of options in the README; nil means the
    #   default
    # @raise [OptionError] an option is unknown, of the wrong type or out of range
    # @raise [LibraryError] +libflagstore+ cannot be loaded
    def initialize(table:, prefix: nil, logger: nil, **options)
      @table = table
      @prefix = prefix
      @logger = HarmlessLogger.around(logger)
      @next_look = 0.0
      @library = Library.load
      @hits = @library.hits
      @handle = Handle.new(@library, Options.text({ table: table, prefix: prefix, **options }))
      @closed = false
      ObjectSpace.define_finalizer(self, self.class.send(:closing, @library, @handle.number))
    end

    # Reads one item, a deleted one included: look at {Item#deleted?}.
    #
    # Blocks for at most +timeout_ms+, unless the item is cached.
    #
    # @return [Item, nil] nil if there is no row, or one that cannot be read, which an event reports
    # @raise [UsageError] kind or key is empty or too long, or the store is closed
    # @raise [UnavailableError] DynamoDB did not answer in time
    # @raise [ConfigurationError] the table, credentials or region are wrong
    def get(kind, key)
      found = @hits.get(@handle.number, kind, key)
      found = asked(kind, key) if :not_cached.equal?(found)
      deliver_events if @logger && (found.nil? || found.stale? || now > @next_look)
      found
    end

    # Reads all items of a kind, deleted ones included, in no particular order.
    #
    # A row that cannot be read is left out, and an event reports it. Blocks for at most +all_timeout_ms+.
    #
    # @return [Hash{String => Item}] by key
    # @raise [Error] as for {#get}
    def all(kind)
      kind = Text.utf8('kind', kind)
      ask(:store_get_all_async, kind, kind.bytesize) { |result| ItemsPlace.new(@library.native).of(result, &:take) }
    end

    # Writes one item if the table has none of this key, or one with a smaller version, in one request.
    #
    # Blocks for at most +timeout_ms+. After an {UnavailableError} the item may have been written or not; calling again is
    # safe.
    #
    # @param version [Integer] 0 to 2**63 - 1
    # @param item [String, nil] the payload; a deletion may go without
    # @param deleted [Boolean] whether this is a deletion; see {#delete}
    # @return [UpsertResult]
    # @raise [UsageError] kind, key or payload is empty, key or kind is too long, the version is out of range, or the
    #   store is closed
    # @raise [Error] otherwise as for {#get}
    def upsert(kind, key, version:, item: nil, deleted: false)
      kind = Text.utf8('kind', kind)
      key = Text.utf8('key', key)
      payload = Text.utf8('item', item || '')
      ask(:store_upsert_async, kind, kind.bytesize, key, key.bytesize, Text.version(version, key), deleted ? 1 : 0,
          payload, payload.bytesize) do |result, code|
        case code
        when Library::NEWER_EXISTS
          UpsertResult.new(:newer_exists, ItemPlace.new(@library.native).of(result) { |place| place.take(key) })
        when Library::TOO_LARGE then UpsertResult.new(:too_large)
        else UpsertResult.new(:written)
        end
      end
    end

    # Marks an item as deleted by an upsert of a tombstone that every SDK reads. Blocking and errors as there.
    #
    # @return [UpsertResult]
    def delete(kind, key, version:)
      upsert(kind, key, version: version, deleted: true)
    end

    # Replaces all items of the given kinds, then marks the store as initialised.
    #
    # Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these kinds that
    # are not given; leaves alone what another writer gave a newer version. Success means that everything is stored; after
    # an error, calling again goes on where it stopped. Blocks for at most +init_timeout_ms+.
    #
    # @param collections [Hash{String => Enumerable<Item>}] items by kind; their order is kept where flags do not depend
    #   on each other
    # @return [InitReport]
    # @raise [UsageError] something in the data cannot be right, and nothing was sent
    # @raise [Error] otherwise as for {#get}
    def init(collections)
      data = DataSet.new(collections)
      initialise(:store_init_async, data.pointer, data.length)
    end

    # {#init} with JSON as a LaunchDarkly SDK has it: +{"flags": {key: item}, "segments": {key: item}}+, also inside the
    # +{"path": "/", "data": ...}+ of a stream. Each item's text is stored byte for byte; its version is its member
    # +version+, and +"deleted": true+ makes it a deletion. Blocking and errors as there.
    #
    # @param json [String]
    # @return [InitReport]
    def init_json(json)
      json = Text.utf8('json', json)
      initialise(:store_init_json_async, json, json.bytesize)
    end

    # Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it blocks for
    # at most +timeout_ms+.
    #
    # @raise [Error] as for {#get}
    def initialized?
      answer = FFI::MemoryPointer.new(:int32)
      ask(:store_initialized_async) do |result|
        @library.native.store_result_initialized(result, answer, nil)
        answer.read_int32 == 1
      end
    end

    # Whether the table answers, by one small read that is never cached. Blocks for at most +timeout_ms+.
    #
    # Never raises an {Error}; why it is not available goes to the logger at debug level, and any other call tells.
    def available?
      ask(:store_available_async)
      true
    rescue Error => e
      @logger&.debug("the table #{@table.inspect} is not available: #{e.message}")
      false
    end

    # When big segments were last brought up to date. Blocks for at most +timeout_ms+.
    #
    # @return [Integer, nil] Unix time in milliseconds; nil if they never were
    # @raise [Error] as for {#get}
    def big_segments_metadata
      milliseconds = FFI::MemoryPointer.new(:int64)
      ask(:store_big_segments_metadata_async) do |result, code|
        next if code != Library::OK

        @library.native.store_result_metadata(result, milliseconds, nil)
        milliseconds.read_int64
      end
    end

    # The big segments that name one context, by segment reference (+key.g<generation>+): true where it is included, false
    # where it is excluded. Blocks for at most +timeout_ms+.
    #
    # @param context_hash [String] base64 of the SHA-256 of the context's key
    # @return [Hash{String => Boolean}, nil] nil if there are none
    # @raise [Error] as for {#get}
    def big_segments_membership(context_hash)
      hash = Text.utf8('context_hash', context_hash)
      ask(:store_big_segments_membership_async, hash, hash.bytesize) do |result, code|
        MembershipPlace.new(@library.native).of(result, &:take) if code == Library::OK
      end
    end

    # What the store did since it was opened in this process. Does not block.
    #
    # * Of the cache: +hits+, +misses+, +coalesced+, +stale+, +refreshes+, and +uncached+, answers too large to be kept.
    # * Of DynamoDB: +requests+, +retries+, +throttles+, +errors+, and +read_units+ and +write_units+ consumed.
    # * Of outages: +served_while_away+ (of +stale+, those that did not wait), +oldest_stale_ms+ (the age of the oldest),
    #   +unwritten+ (items that are to be written again), and +away+, 1 while DynamoDB does not answer, else 0.
    # * Of +cache_dir+: +host_hits+, and +host_trouble+, what went wrong with its files.
    # * Of rows and events: +skipped_rows+, +dropped_events+.
    # * What the cache holds now: +cached_items+, +cached_lists+, +cached_bytes+.
    #
    # @return [Hash{Symbol => Numeric}]
    # @raise [UsageError] the store is closed
    def statistics
      place = StringPlace.new(@library.native)
      JSON.parse(call(:store_statistics, place.pointer, place: place) { place.take }, symbolize_names: true)
    end

    # Forgets everything that is cached; the next reads ask DynamoDB. Does not block.
    #
    # @raise [UsageError] the store is closed
    def clear_cache
      call(:store_clear_cache)
      nil
    end

    # Takes the events that were not taken yet, oldest first. Does not block. With a logger, calls have taken most of them
    # already.
    #
    # @return [Array<Event>]
    # @raise [UsageError] the store is closed
    def events
      taken = []
      while (event = next_event)
        taken << event
      end
      taken
    end

    # Closes the store; calls in flight on other threads finish undisturbed, later ones raise {UsageError}. Calling it
    # again does nothing. Does not block. Closing in a forked child leaves the parent's store as it is.
    #
    # @return [nil]
    def close
      return if @closed

      deliver_events if @logger
      @closed = true
      ObjectSpace.undefine_finalizer(self)
      @handle.close
      nil
    end

    # Whether {#close} was called.
    def closed?
      @closed
    end

    # @return [String] shows no credential
    def inspect
      "#<#{self.class} table=#{@table.inspect} prefix=#{@prefix.to_s.inspect} #{closed? ? 'closed' : 'open'}>"
    end
    alias to_s inspect

    # @raise [TypeError] always
    def marshal_dump
      raise TypeError, 'a Store cannot be copied or marshalled: open one in each process, or share one by fork'
    end

    # The finaliser knows the number and not the store, or the store would never be collected.
    def self.closing(library, handle)
      native = library.native
      proc { native.store_close(handle, nil) }
    end
    private_class_method :closing

    private

    def initialize_copy(_other)
      marshal_dump
    end

    # @return [Item, nil]
    def asked(kind, key)
      kind = Text.utf8('kind', kind)
      key = Text.utf8('key', key)
      ask(:store_get_async, kind, kind.bytesize, key, key.bytesize, events: false) do |result, code|
        ItemPlace.new(@library.native).of(result) { |place| place.take(key) } if code == Library::OK
      end
    end

    # Calls a function of the library on this store that does not wait, and hands what it reports to the logger.
    def call(function, *arguments, place: nil, events: true, &take)
      reporting(events) { @handle.call(function, *arguments, place: place, &take) }
    end

    # The same for one that waits; the block takes what is wanted of its result.
    def ask(function, *arguments, events: true, stopped: nil, &take)
      reporting(events) { @handle.ask(function, *arguments, stopped: stopped, &take) }
    end

    def reporting(events)
      result = yield
      deliver_events if events && @logger
      result
    rescue Error => e
      deliver_events if @logger
      raise e unless @closed && e.code == Library::INVALID_HANDLE

      raise Error.own('STORE_ERROR_INVALID_HANDLE', "the store of table #{@table.inspect} is closed: open another one")
    end

    def initialise(function, *data)
      stopped = ->(result) { @logger&.warn("an init of the table #{@table.inspect} was stopped: #{report(result)}") }
      made_of(JSON.parse(ask(function, *data, stopped: stopped) { |result| report(result) }))
    end

    # @return [String] a JSON object
    def report(result)
      StringPlace.new(@library.native).of(result, &:take)
    end

    def made_of(report)
      too_large = report['too_large'].map { |item| TooLarge.new(*item.values_at('kind', 'key', 'bytes')) }
      by_reason = report.values_at('replaced', 'kept', 'left_out').map do |reasons|
        reasons.to_h do |name, rows|
          [name.to_sym, Reason.new(rows['count'], rows['keys'].map { |row| row.values_at('kind', 'key') })]
        end
      end
      InitReport.new(*report.values_at('written', 'unchanged', 'deleted', 'kept_newer'), too_large, *by_reason)
    end

    def next_event
      level = FFI::MemoryPointer.new(:int32)
      message = StringPlace.new(@library.native)
      call(:store_next_event, level, message.pointer, place: message, events: false) do |code|
        Event.new(LEVELS.fetch(level.read_int32, :info), message.take) if code == Library::OK
      end
    end

    # Logs the events that were not taken yet. Where the logger uses the store, what its calls bring is logged after a
    # later call, so that the two do not feed each other without end.
    def deliver_events
      return if @closed || Thread.current[:flagstore_delivering]

      begin
        Thread.current[:flagstore_delivering] = true
        events_unless_closed.each { |event| @logger.public_send(event.level, event.message) }
      ensure
        Thread.current[:flagstore_delivering] = false
        @next_look = now + BETWEEN_LOOKS
      end
    end

    def events_unless_closed
      events
    rescue UsageError
      # Another thread closed the store; the result that is being returned is still good.
      []
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
