package io.flagstore;

import io.flagstore.Results.Question;
import io.flagstore.UpsertResult.Outcome;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The LaunchDarkly DynamoDB feature store: one table, or one prefix of it.
 *
 * <pre>{@code
 * try (FlagStore store = FlagStore.builder("flags").prefix("production").region("eu-west-1").open()) {
 *     Optional<Item> flag = store.get("features", "my-flag");
 * }
 * }</pre>
 *
 * <p>Any thread may use it, also several at the same time. Every call ends at the deadline that the options set for it.
 * Interrupting a thread that waits in a call cancels the call, which then fails with {@code STORE_CANCELLED} unless it was
 * over, and leaves the thread's interrupt flag set. A call that waits holds its thread and no other: a virtual one leaves
 * its carrier (see {@link FlagStoreBuilder#callersHoldMonitors} for Java 21 to 23). Cancelling a future, or a timeout of its own, cancels its call. A cancelled upsert may have been written or
 * not; a cancelled init begins no further write, and {@link FlagStoreException#report} says what it had done.
 *
 * <p>Errors are {@link FlagStoreException}; keys may hold any characters, payloads are opaque and come back exactly as
 * they were stored.
 */
public final class FlagStore implements AutoCloseable {
    /** The name of the {@link System.Logger} that gets events unless {@link FlagStoreBuilder#onEvent} says otherwise. */
    public static final String LOGGER = "io.flagstore";

    /** How often reads that go well look for events: a look costs about as much as a read out of the cache. */
    private static final long NANOS_BETWEEN_LOOKS = TimeUnit.MILLISECONDS.toNanos(100);

    private static final Cleaner CLEANER = Cleaner.create();
    private static final ThreadLocal<Boolean> DELIVERING = ThreadLocal.withInitial(() -> false);

    private final String table;
    private final Consumer<Event> onEvent;
    private final boolean underMonitor;
    private final Cleaner.Cleanable cleanable;
    private volatile long handle;
    private volatile long nextLook = System.nanoTime();

    /** Closes the store; it knows the number alone, or the store would never be collected. */
    private record Closing(long handle) implements Runnable {
        @Override
        public void run() {
            Native.close(handle);
        }
    }

    FlagStore(String table, Map<String, ?> options, Consumer<Event> onEvent, boolean underMonitor) {
        byte[] json = Text.utf8("options", Json.options(options));
        Library.load();
        byte[] answer = Native.open(json);
        if (Answer.code(answer) < Answer.OK) throw FlagStoreException.of(answer);
        this.table = table;
        this.onEvent = onEvent;
        this.underMonitor = underMonitor;
        this.handle = Answer.number(answer);
        this.cleanable = CLEANER.register(this, new Closing(handle));
    }

    /**
     * Options of a store.
     *
     * @param table name or ARN of a table whose key is {@code namespace} (string) and {@code key} (string)
     * @return a builder to be finished with {@link FlagStoreBuilder#open}
     */
    public static FlagStoreBuilder builder(String table) {
        return new FlagStoreBuilder(table);
    }

    /**
     * The version of the loaded libflagstore.
     *
     * @return a version such as {@code 0.1.0}
     * @throws LibraryException if it cannot be loaded
     */
    public static String libraryVersion() {
        Library.load();
        return Answer.text(Native.version());
    }

    /**
     * Where libflagstore was loaded from.
     *
     * @return the path of a file, {@code jar:} with the place in the jar, or the name that the system knows it by
     * @throws LibraryException if it cannot be loaded
     */
    public static String libraryPath() {
        return Library.load();
    }

    /**
     * Reads one item, a deleted one included: look at its {@link Item#deleted}. Blocks for at most the option
     * {@code timeout_ms}, unless the item is cached.
     *
     * @param kind such as {@code features} or {@code segments}
     * @param key the item's key
     * @return empty if there is no row, or one that cannot be read, which an event reports
     * @throws FlagStoreException if kind or key is empty or too long, the store is closed, or DynamoDB did not answer as
     *     it should
     */
    public Optional<Item> get(String kind, String key) {
        byte[] ofKind = Text.utf8("kind", kind);
        byte[] ofKey = Text.utf8("key", key);
        try {
            byte[] cached = Native.getCached(handle, ofKind, ofKey);
            return got(cached != null ? cached : Results.awaited(getting(ofKind, ofKey), underMonitor));
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * {@link #get} without blocking.
     *
     * @param kind such as {@code features} or {@code segments}
     * @param key the item's key
     * @return a future that fails with the exception that {@code get} would throw
     */
    public CompletableFuture<Optional<Item>> getAsync(String kind, String key) {
        byte[] ofKind = Text.utf8("kind", kind);
        byte[] ofKey = Text.utf8("key", key);
        return Results.future(getting(ofKind, ofKey), this::got);
    }

    private Question getting(byte[] kind, byte[] key) {
        return ask(Native.ITEM, (number, call) -> Native.get(handle, number, call, kind, key));
    }

    private Optional<Item> got(byte[] answer) {
        if (Answer.code(answer) < Answer.OK) throw failed(answer);
        Item item = Answer.code(answer) == Answer.OK ? Answer.item(answer) : null;
        if (item == null || item.stale() || System.nanoTime() - nextLook >= 0) deliverEvents();
        return Optional.ofNullable(item);
    }

    /**
     * Reads all items of a kind by key, deleted ones included. A row that cannot be read is left out, and an event
     * reports it. Blocks for at most the option {@code all_timeout_ms}.
     *
     * @param kind such as {@code features} or {@code segments}
     * @return the items, in no particular order
     * @throws FlagStoreException as for {@link #get}
     */
    public Map<String, Item> getAll(String kind) {
        byte[] ofKind = Text.utf8("kind", kind);
        return allOf(awaited(ask(Native.ITEMS, (number, call) -> Native.getAll(handle, number, call, ofKind))));
    }

    /**
     * {@link #getAll} without blocking.
     *
     * @param kind such as {@code features} or {@code segments}
     * @return a future that fails with the exception that {@code getAll} would throw
     */
    public CompletableFuture<Map<String, Item>> getAllAsync(String kind) {
        byte[] ofKind = Text.utf8("kind", kind);
        return Results.future(ask(Native.ITEMS, (number, call) -> Native.getAll(handle, number, call, ofKind)), this::allOf);
    }

    private Map<String, Item> allOf(byte[] answer) {
        return Answer.items(checked(answer));
    }

    /**
     * Writes one item if the table has none of this key, or one with a smaller version, in one request. Blocks for at
     * most the option {@code timeout_ms}. After an error that is retriable the item may have been written or not;
     * calling again is safe.
     *
     * @param kind such as {@code features} or {@code segments}
     * @param key the item's key
     * @param item what to write; a deleted one may go without a payload, and then gets one that every SDK reads
     * @return what came of it
     * @throws FlagStoreException if kind, key or payload is empty, kind or key is too long or the version is negative;
     *     otherwise as for {@link #get}
     */
    public UpsertResult upsert(String kind, String key, Item item) {
        return upserted(awaited(upserting(kind, key, item)));
    }

    /**
     * {@link #upsert} without blocking.
     *
     * @param kind such as {@code features} or {@code segments}
     * @param key the item's key
     * @param item what to write
     * @return a future that fails with the exception that {@code upsert} would throw
     */
    public CompletableFuture<UpsertResult> upsertAsync(String kind, String key, Item item) {
        return Results.future(upserting(kind, key, item), this::upserted);
    }

    private Question upserting(String kind, String key, Item item) {
        byte[] ofKind = Text.utf8("kind", kind);
        byte[] ofKey = Text.utf8("key", key);
        byte[] payload = payload(item);
        return ask(
                Native.ITEM,
                (number, call) -> Native.upsert(handle, number, call, ofKind, ofKey, item.version(), item.deleted(), payload));
    }

    static byte[] payload(Item item) {
        return item.item() == null ? null : Text.utf8("item", item.item());
    }

    private UpsertResult upserted(byte[] answer) {
        switch (Answer.code(checked(answer))) {
            case Answer.OK:
                return new UpsertResult(Outcome.WRITTEN, Optional.empty());
            case Answer.NEWER_EXISTS:
                return new UpsertResult(Outcome.NEWER_EXISTS, Optional.of(Answer.item(answer)));
            default:
                return new UpsertResult(Outcome.TOO_LARGE, Optional.empty());
        }
    }

    /**
     * Marks an item as deleted by an upsert of a tombstone that every SDK reads. Blocking and errors as for
     * {@link #upsert}.
     *
     * @param kind such as {@code features} or {@code segments}
     * @param key the item's key
     * @param version the version of the deletion
     * @return what came of it
     */
    public UpsertResult delete(String kind, String key, long version) {
        return upsert(kind, key, Item.deleted(version));
    }

    /**
     * Replaces all items of the given kinds, then marks the store as initialised.
     *
     * <p>Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these kinds
     * that are not given; leaves alone what another writer gave a newer version. Success means that everything is stored;
     * after an error, calling again goes on where it stopped. Blocks for at most the option {@code init_timeout_ms}.
     *
     * @param collections items by kind and key; their order is kept where flags do not depend on each other
     * @return what it did
     * @throws FlagStoreException if something in the data cannot be right, and nothing was sent; otherwise as for
     *     {@link #get}
     */
    public InitReport init(Map<String, ? extends Map<String, Item>> collections) {
        return reported(awaited(initialising(collections)));
    }

    /**
     * {@link #init} without blocking, but for copying the data.
     *
     * @param collections items by kind and key
     * @return a future that fails with the exception that {@code init} would throw
     */
    public CompletableFuture<InitReport> initAsync(Map<String, ? extends Map<String, Item>> collections) {
        return Results.future(initialising(collections), this::reported);
    }

    private Question initialising(Map<String, ? extends Map<String, Item>> collections) {
        DataSet data = new DataSet(collections);
        return new Question(
                Native.REPORT,
                (number, call) -> Native.init(handle, number, call, data.collections(), data.items(), data.bytes()),
                true);
    }

    private InitReport reported(byte[] answer) {
        return InitReport.of(Answer.text(checked(answer)));
    }

    /**
     * {@link #init} with JSON as a LaunchDarkly SDK has it: {@code {"flags": {key: item}, "segments": {key: item}}}, also
     * inside the {@code {"path": "/", "data": …}} of a stream. Each item's text is stored as it is; its version is its
     * member {@code version}, and {@code "deleted": true} makes it a deletion. Blocking and errors as there.
     *
     * @param json the data set
     * @return what it did
     */
    public InitReport initJson(String json) {
        return reported(awaited(initialising(json)));
    }

    /**
     * {@link #initJson} without blocking, but for copying the data.
     *
     * @param json the data set
     * @return a future that fails with the exception that {@code initJson} would throw
     */
    public CompletableFuture<InitReport> initJsonAsync(String json) {
        return Results.future(initialising(json), this::reported);
    }

    private Question initialising(String json) {
        byte[] text = Text.utf8("json", json);
        return new Question(Native.REPORT, (number, call) -> Native.initJson(handle, number, call, text), true);
    }

    /**
     * Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it blocks for
     * at most the option {@code timeout_ms}.
     *
     * @return whether it was
     * @throws FlagStoreException as for {@link #get}
     */
    public boolean initialized() {
        return isTrue(awaited(ask(Native.INITIALIZED, (number, call) -> Native.initialized(handle, number, call))));
    }

    /**
     * {@link #initialized} without blocking.
     *
     * @return a future that fails with the exception that {@code initialized} would throw
     */
    public CompletableFuture<Boolean> initializedAsync() {
        return Results.future(ask(Native.INITIALIZED, (number, call) -> Native.initialized(handle, number, call)), this::isTrue);
    }

    private boolean isTrue(byte[] answer) {
        return Answer.number(checked(answer)) != 0;
    }

    /**
     * Whether the table answers, by one small read that is never cached. Blocks for at most the option
     * {@code timeout_ms}. Never throws; why it is not available is an event at debug level, and any other call tells.
     *
     * @return whether it answers
     */
    public boolean available() {
        return answers(awaited(ask(Native.NOTHING, (number, call) -> Native.available(handle, number, call))));
    }

    /**
     * {@link #available} without blocking.
     *
     * @return a future that never fails
     */
    public CompletableFuture<Boolean> availableAsync() {
        return Results.future(ask(Native.NOTHING, (number, call) -> Native.available(handle, number, call)), this::answers);
    }

    private boolean answers(byte[] answer) {
        try {
            checked(answer);
            return true;
        } catch (FlagStoreException error) {
            tell(new Event(System.Logger.Level.DEBUG, "table \"" + table + "\" is not available: " + error.getMessage()));
            return false;
        }
    }

    /**
     * When big segments were last brought up to date. Blocks for at most the option {@code timeout_ms}.
     *
     * @return Unix time in milliseconds; empty if nothing ever wrote big segments
     * @throws FlagStoreException as for {@link #get}
     */
    public OptionalLong bigSegmentsMetadata() {
        return synchronizedOn(awaited(ask(Native.METADATA, (number, call) -> Native.bigSegmentsMetadata(handle, number, call))));
    }

    /**
     * {@link #bigSegmentsMetadata} without blocking.
     *
     * @return a future that fails with the exception that {@code bigSegmentsMetadata} would throw
     */
    public CompletableFuture<OptionalLong> bigSegmentsMetadataAsync() {
        return Results.future(ask(Native.METADATA, (number, call) -> Native.bigSegmentsMetadata(handle, number, call)), this::synchronizedOn);
    }

    private OptionalLong synchronizedOn(byte[] answer) {
        boolean found = Answer.code(checked(answer)) == Answer.OK;
        return found ? OptionalLong.of(Answer.number(answer)) : OptionalLong.empty();
    }

    /**
     * The big segments that name one context, by segment reference ({@code key.g<generation>}). Blocks for at most the
     * option {@code timeout_ms}.
     *
     * @param contextHash base64 of the SHA-256 of the context's key
     * @return true where the context is included, false where it is excluded; empty if no big segment names it
     * @throws FlagStoreException as for {@link #get}
     */
    public Optional<Map<String, Boolean>> bigSegmentsMembership(String contextHash) {
        byte[] hash = Text.utf8("contextHash", contextHash);
        return membership(awaited(ask(Native.MEMBERSHIP, (number, call) -> Native.bigSegmentsMembership(handle, number, call, hash))));
    }

    /**
     * {@link #bigSegmentsMembership} without blocking.
     *
     * @param contextHash base64 of the SHA-256 of the context's key
     * @return a future that fails with the exception that {@code bigSegmentsMembership} would throw
     */
    public CompletableFuture<Optional<Map<String, Boolean>>> bigSegmentsMembershipAsync(String contextHash) {
        byte[] hash = Text.utf8("contextHash", contextHash);
        return Results.future(ask(Native.MEMBERSHIP, (number, call) -> Native.bigSegmentsMembership(handle, number, call, hash)), this::membership);
    }

    private Optional<Map<String, Boolean>> membership(byte[] answer) {
        boolean found = Answer.code(checked(answer)) == Answer.OK;
        return found ? Optional.of(Answer.membership(answer)) : Optional.empty();
    }

    /**
     * What the store did since it was opened, and what it holds now. Does not block.
     *
     * @return counts
     * @throws FlagStoreException if the store is closed
     */
    public Statistics statistics() {
        try {
            return Statistics.of(Answer.text(checked(Native.statistics(handle))));
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Forgets everything that is cached; the next reads ask DynamoDB. Does not block.
     *
     * @throws FlagStoreException if the store is closed
     */
    public void clearCache() {
        try {
            checked(Native.clearCache(handle));
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Closes the store; calls in flight on other threads finish undisturbed, later ones fail. Calling it again does
     * nothing. Does not block. A store that is forgotten is closed when it is collected.
     */
    @Override
    public void close() {
        if (closed()) return;
        deliverEvents();
        cleanable.clean();
        // Zero is never a store, while the number of a closed one comes round again after many thousands.
        handle = 0;
    }

    /**
     * Whether {@link #close} was called.
     *
     * @return whether it was
     */
    public boolean closed() {
        return handle == 0;
    }

    @Override
    public String toString() {
        return "FlagStore[table=" + table + (closed() ? ", closed]" : "]");
    }

    private static Question ask(int content, Results.Start start) {
        return new Question(content, start, false);
    }

    /** The answer to a call, which this store outlives. */
    private byte[] awaited(Question question) {
        try {
            return Results.awaited(question, underMonitor);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private byte[] checked(byte[] answer) {
        if (Answer.code(answer) < Answer.OK) throw failed(answer);
        deliverEvents();
        return answer;
    }

    private FlagStoreException failed(byte[] answer) {
        FlagStoreException error = FlagStoreException.of(answer);
        deliverEvents();
        if (error.code() != FlagStoreException.INVALID_HANDLE) return error;
        String message = "the store of table \"" + table + "\" is closed: open another one";
        return new FlagStoreException(error.code(), error.codeName(), error.retriable(), message);
    }

    /**
     * Hands over the events that were not taken yet. Where the recipient uses the store, what its calls bring comes after
     * a later call, so that the two do not feed each other without end.
     */
    private void deliverEvents() {
        if (DELIVERING.get()) return;
        nextLook = System.nanoTime() + NANOS_BETWEEN_LOOKS;
        byte[] answer = Native.nextEvent(handle);
        // Another outcome than OK: there is none, or another thread closed the store, whose result is still good.
        if (Answer.code(answer) != Answer.OK) return;
        List<Event> events = new ArrayList<>();
        for (; Answer.code(answer) == Answer.OK; answer = Native.nextEvent(handle)) events.add(Event.of(answer));
        DELIVERING.set(true);
        try {
            events.forEach(this::tell);
        } finally {
            DELIVERING.remove();
        }
    }

    /** A recipient that fails does not fail the call, whose result is there, and neither does a logger. */
    private void tell(Event event) {
        try {
            onEvent.accept(event);
        } catch (RuntimeException error) {
            try {
                System.getLogger(LOGGER).log(System.Logger.Level.ERROR, "the recipient of events failed", error);
            } catch (RuntimeException ignored) {
                // There is no one left to tell.
            }
        }
    }
}
