package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.launchdarkly.sdk.LDValue;
import io.flagstore.UpsertResult.Outcome;
import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.lang.reflect.RecordComponent;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.After;
import org.junit.Rule;
import org.junit.Test;
import org.junit.function.ThrowingRunnable;
import org.junit.rules.TemporaryFolder;

public class StoreTest {
    private static final String FLAG = "{\"key\":\"flag\",\"version\":1}";

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private final String prefix = Endpoint.newPrefix();
    private final Rows rows = new Rows(Endpoint.local(), Endpoint.TABLE);
    private final List<Event> events = new CopyOnWriteArrayList<>();
    private final List<FlagStore> opened = new ArrayList<>();
    private final FlagStore store = open(options());

    private FlagStoreBuilder options() {
        return Endpoint.local().store(prefix).onEvent(events::add);
    }

    private FlagStore open(FlagStoreBuilder options) {
        FlagStore another = options.open();
        opened.add(another);
        return another;
    }

    private static long handle(FlagStore store) throws ReflectiveOperationException {
        Field field = FlagStore.class.getDeclaredField("handle");
        field.setAccessible(true);
        return field.getLong(store);
    }

    @After
    public void close() {
        opened.forEach(FlagStore::close);
    }

    // Items

    @Test
    public void aPayloadComesBackCharacterForCharacter() {
        List<String> texts = List.of(FLAG, "no JSON", " {\"a\" : 1 }\n", "zero\0inside", "Grüße 🎌 \uffff", "\\u0000\"");
        for (String text : texts) {
            for (String key : List.of("key", "nul\0inside", "ключ", "🎌", "a:b/c$d", " ", "k".repeat(1024))) {
                String kind = "kind-" + texts.indexOf(text) + "-Ü🎌\0";
                assertTrue(store.upsert(kind, key, new Item(7, text)).written());
                assertEquals(Optional.of(new Item(7, text)), store.get(kind, key));
                assertEquals(new Item(7, text), store.getAll(kind).get(key));
            }
        }
    }

    @Test
    public void versionsHave64Bits() {
        for (long version : new long[] {0, Integer.MAX_VALUE + 1L, Long.MAX_VALUE}) {
            store.upsert("features", "flag-" + version, new Item(version, FLAG));
            assertEquals(version, store.get("features", "flag-" + version).orElseThrow().version());
        }
    }

    @Test
    public void whatIsNotThereIsEmpty() {
        assertEquals(Optional.empty(), store.get("features", "nothing"));
        assertEquals(Map.of(), store.getAll("features"));
    }

    @Test
    public void aNewerVersionStaysAndIsReturned() {
        assertEquals(new UpsertResult(Outcome.WRITTEN, Optional.empty()), store.upsert("features", "flag", new Item(2, FLAG)));
        for (long version : new long[] {1, 2}) {
            UpsertResult refused = store.upsert("features", "flag", new Item(version, "other"));
            assertEquals(new UpsertResult(Outcome.NEWER_EXISTS, Optional.of(new Item(2, FLAG))), refused);
        }
        assertTrue(store.upsert("features", "flag", new Item(3, "newest")).written());
    }

    @Test
    public void aDeletionIsAnItemWithoutPayload() {
        store.upsert("features", "flag", new Item(1, FLAG));
        assertTrue(store.delete("features", "flag", 2).written());
        assertEquals(Optional.of(Item.deleted(2)), store.get("features", "flag"));
        assertEquals(Map.of("flag", Item.deleted(2)), store.getAll("features"));
        assertEquals(Optional.of(Item.deleted(2)), store.upsert("features", "flag", new Item(1, FLAG)).stored());
    }

    @Test
    public void anItemOver400KbIsNotWrittenAndReported() {
        store.upsert("features", "huge", new Item(1, FLAG));
        assertEquals(Outcome.TOO_LARGE, store.upsert("features", "huge", new Item(2, "p4yl0ad".repeat(60_000))).outcome());
        assertEquals(Optional.of(new Item(1, FLAG)), store.get("features", "huge"));
        List<Event> errors = events.stream().filter(event -> event.level() == System.Logger.Level.ERROR).toList();
        assertEquals(errors.toString(), 1, errors.size());
        assertTrue(errors.get(0).message(), errors.get(0).message().contains("huge"));
        assertFalse(errors.get(0).message().contains("p4yl0ad"));
    }

    @Test
    public void moreItemsThanFitOneAnswerAllCome() {
        Map<String, Item> items = new LinkedHashMap<>();
        for (int number = 0; number < 120; number++) items.put("flag-" + number, new Item(number, "ü".repeat(10_000)));
        store.init(Map.of("things", items));
        assertEquals(items, store.getAll("things"));
    }

    @Test
    public void oneUnreadableRowHidesNoOther() {
        store.upsert("features", "good", new Item(1, FLAG));
        rows.put(prefix + ":features", "bad", "{\"version\":{\"N\":\"1\"},\"item\":{\"B\":\"AA==\"}}");
        assertEquals(Map.of("good", new Item(1, FLAG)), store.getAll("features"));
        assertEquals(Optional.empty(), store.get("features", "bad"));
        assertTrue(events.toString(), events.stream().anyMatch(event -> event.message().contains("bad")));
    }

    // Whole data sets

    @Test
    public void initReplacesTheDataSetAndMarksIt() {
        store.upsert("features", "old", new Item(9, FLAG));
        store.upsert("others", "untouched", new Item(9, FLAG));
        assertFalse(store.initialized());
        InitReport report = store.init(
                Map.of("features", Map.of("new", new Item(1, FLAG)), "segments", Map.of("segment", new Item(1, "{}"))));
        assertEquals(new InitReport(2, 0, 1, 0, List.of(), new InitReport.Reason(0, List.of()), Map.of(), Map.of(), Map.of()), report);
        assertTrue(store.initialized());
        assertEquals(Map.of("new", new Item(1, FLAG)), store.getAll("features"));
        assertEquals(Map.of("segment", new Item(1, "{}")), store.getAll("segments"));
        assertEquals(Optional.of(new Item(9, FLAG)), store.get("others", "untouched"));
        LDValue marker = rows.get(prefix + ":$inited", prefix + ":$inited");
        assertEquals(2, marker.size());
        assertTrue(open(options().shared(false)).initialized());
    }

    @Test
    public void aDataSetHoldsAnyKeysAndPayloads() {
        Map<String, Item> items = new LinkedHashMap<>();
        for (String key : List.of("key", "nul\0inside", "ключ", "🎌", "k".repeat(1024))) {
            items.put(key, new Item(Long.MAX_VALUE, "\0 Grüße 🎌 " + key));
        }
        store.init(Map.of("things\0Ü🎌", items));
        assertEquals(items, store.getAll("things\0Ü🎌"));
    }

    @Test
    public void initWithTheSameDataWritesNothing() {
        Map<String, Map<String, Item>> data = Map.of("features", Map.of("a", new Item(1, FLAG), "b", Item.deleted(3)));
        store.init(data);
        double before = store.statistics().writeUnits();
        assertEquals(new InitReport(0, 2, 0, 0, List.of(), new InitReport.Reason(0, List.of()), Map.of(), Map.of(), Map.of()), store.init(data));
        assertEquals(before, store.statistics().writeUnits(), 0);
        assertEquals(Optional.of(Item.deleted(3)), store.get("features", "b"));
    }

    @Test
    public void itemsOver400KbAreDeflatedWhereThatIsAskedFor() {
        Item huge = new Item(1, "{\"key\":\"huge\",\"version\":1,\"pad\":\"" + "x".repeat(400_000) + "\"}");
        InitReport report = open(options().compressLarge(true)).init(Map.of("features", Map.of("huge", huge)));
        assertEquals(List.of(), report.tooLarge());
        assertEquals(new InitReport.Reason(1, List.of(new InitReport.Row("features", "huge"))), report.deflated());
        assertEquals(Optional.of(huge), store.get("features", "huge"));
    }

    @Test
    public void initLeavesANewerRowAlone() {
        store.init(Map.of("features", Map.of("flag", new Item(7, FLAG))));
        InitReport report = store.init(Map.of("features", Map.of("flag", new Item(6, "{}"))));
        assertEquals(1, report.keptNewer());
        InitReport.Row row = new InitReport.Row("features", "flag");
        assertEquals(Map.of("newer", new InitReport.Reason(1, List.of(row))), report.kept());
        assertEquals(Optional.of(new Item(7, FLAG)), store.get("features", "flag"));
    }

    @Test
    public void initReportsWhatItReplacedAndWhatItLeftOut() {
        store.upsert("features", "flag", new Item(9, FLAG));
        InitReport report = store.init(Map.of("features", Map.of("flag", new Item(1, FLAG), "", new Item(1, FLAG))));
        var replaced = new InitReport.Reason(1, List.of(new InitReport.Row("features", "flag")));
        var leftOut = new InitReport.Reason(1, List.of(new InitReport.Row("features", "")));
        assertEquals(
                new InitReport(1, 0, 0, 0, List.of(), new InitReport.Reason(0, List.of()), Map.of("not_initialised", replaced), Map.of(), Map.of("empty_key", leftOut)),
                report);
        assertEquals(Map.of("flag", new Item(1, FLAG)), store.getAll("features"));
    }

    @Test
    public void initReportsItemsOver400KbAndStoresTheRest() {
        InitReport report = store.init(
                Map.of("features", Map.of("huge\"\n🎌", new Item(1, "x".repeat(400_000)), "small", new Item(1, FLAG))));
        assertEquals(1, report.written());
        assertEquals(1, report.tooLarge().size());
        InitReport.TooLarge huge = report.tooLarge().get(0);
        assertEquals("features huge\"\n🎌", huge.kind() + " " + huge.key());
        assertTrue(huge.toString(), huge.bytes() > 400_000);
        assertEquals(Map.of("small", new Item(1, FLAG)), store.getAll("features"));
    }

    @Test
    public void initWithNothingInitialises() {
        assertEquals(new InitReport(0, 0, 0, 0, List.of(), new InitReport.Reason(0, List.of()), Map.of(), Map.of(), Map.of()), store.init(Map.of()));
        assertTrue(store.initialized());
    }

    @Test
    public void initTakesJsonAsSdksHaveIt() {
        String item = "{\"key\":\"flag\" , \"version\":1}";
        assertEquals(1, store.initJson("{\"path\":\"/\",\"data\":{\"flags\":{\"flag\": " + item + "}}}").written());
        assertEquals(Optional.of(new Item(1, item)), store.get("features", "flag"));
    }

    @Test
    public void aWrongDataSetIsRefusedBeforeAnythingIsSent() {
        refused("STORE_ERROR_INVALID_JSON", () -> store.initJson("{\"flags\":{\"a\":{\"version\":1,\"p4yl0ad\"}}}"));
        refused("STORE_ERROR_INVALID_VERSION", () -> store.initJson("{\"flags\":{\"a\":{}}}"));
        refused("STORE_ERROR_EMPTY_ITEM", () -> store.init(Map.of("features", Map.of("a", new Item(1, null)))));
        refused("STORE_ERROR_INVALID_VERSION", () -> store.init(Map.of("features", Map.of("a", new Item(-1, FLAG)))));
        assertEquals(0, store.statistics().requests());
    }

    // Arguments and options that cannot be right

    private static FlagStoreException refused(String name, ThrowingRunnable call) {
        FlagStoreException error = assertThrows(FlagStoreException.class, call);
        assertEquals(error.getMessage(), name, error.codeName());
        assertTrue(error.code() < 0);
        assertFalse(error.retriable());
        assertFalse(error.getMessage().contains("p4yl0ad"));
        assertFalse(error.getMessage().contains(Endpoint.SECRET));
        return error;
    }

    @Test
    public void wrongArgumentsAreNamed() {
        refused("STORE_ERROR_EMPTY_KEY", () -> store.get("features", ""));
        refused("STORE_ERROR_EMPTY_KIND", () -> store.getAll(""));
        refused("STORE_ERROR_KEY_TOO_LONG", () -> store.get("features", "k".repeat(1025)));
        refused("STORE_ERROR_KEY_TOO_LONG", () -> store.get("k".repeat(2049), "key"));
        refused("STORE_ERROR_INVALID_VERSION", () -> store.upsert("features", "key", new Item(-1, FLAG)));
        refused("STORE_ERROR_EMPTY_ITEM", () -> store.upsert("features", "key", new Item(1, "")));
        refused("STORE_ERROR_INVALID_UTF8", () -> store.get("features", "k\ud800"));
        refused("STORE_ERROR_INVALID_UTF8", () -> store.get("features", "\udc00\ud800"));
        refused("STORE_ERROR_INVALID_UTF8", () -> store.upsert("features", "key", new Item(1, "p4yl0ad \udfff")));
        assertThrows(NullPointerException.class, () -> store.get("features", null));
        assertEquals(0, store.statistics().requests());
    }

    @Test
    public void wrongOptionsAreNamed() {
        Map<String, Map.Entry<String, Object>> wrong = Map.of(
                "tabel", Map.entry("STORE_ERROR_UNKNOWN_OPTION", "x"),
                "timeout_ms", Map.entry("STORE_ERROR_OPTION_VALUE", 0),
                "shared", Map.entry("STORE_ERROR_OPTION_TYPE", 1),
                "prefix", Map.entry("STORE_ERROR_OPTION_TYPE", List.of(Endpoint.SECRET)),
                "endpoint", Map.entry("STORE_ERROR_OPTION_VALUE", "localhost:8000"),
                "secret_access_key", Map.entry("STORE_ERROR_OPTION_VALUE", Endpoint.SECRET),
                "log_level", Map.entry("STORE_ERROR_OPTION_VALUE", "\"loud\"\n"));
        wrong.forEach((name, expected) -> {
            FlagStoreException error = refused(
                    expected.getKey(), () -> FlagStore.builder("flags").option(name, expected.getValue()).open());
            assertTrue(error.getMessage(), error.getMessage().contains(name));
        });
        for (String table : new String[] {null, "", "  "}) {
            refused("STORE_ERROR_EMPTY_TABLE_NAME", () -> FlagStore.builder(table).open());
        }
    }

    @Test
    public void everyOptionOfTheBuilderIsOneOfTheLibrary() {
        open(FlagStore.builder("flags")
                .prefix("a").region("eu-west-1").profile("p").endpoint(URI.create("http://127.0.0.1:1"))
                .credentials("a", "b", "c").caBundle(Path.of("authorities.pem"))
                .extraCaBundle(Path.of("company.pem")).proxy("none").compressLarge(true).useFips(false).useDualStack(false).consistentReads(false)
                .connectTimeout(Duration.ofSeconds(1)).attemptTimeout(Duration.ofSeconds(1)).timeout(Duration.ofSeconds(1))
                .allTimeout(Duration.ofSeconds(1)).initTimeout(Duration.ofSeconds(1)).maxConnections(7)
                .writeConcurrency(3).initOverwritesNewer(true).cacheTtl(Duration.ofMillis(-1)).cacheMaxBytes(1L << 33).cacheRefreshAhead(false)
                .cacheStale(Duration.ZERO).softWait(Duration.ZERO).keepTold(true).cacheDir(folder.getRoot().toPath().resolve("cache"))
                .cacheDirMaxBytes(1L << 33).shared(false).persistent(false).logLevel("debug"));
    }

    @Test
    public void timesBelowAMillisecondAreNotNone() {
        Map<Duration, String> times = Map.of(
                Duration.ZERO, "0",
                Duration.ofNanos(1), "1",
                Duration.ofMillis(2), "2",
                Duration.ofMillis(2).plusNanos(1), "3",
                Duration.ofNanos(-1), "-1",
                Duration.ofMillis(-2), "-2");
        times.forEach((time, written) -> assertEquals("{\"t\":" + written + "}", Json.options(Map.of("t", time))));
        open(options().timeout(Duration.ofSeconds(5)).connectTimeout(Duration.ofNanos(1))).closed();
    }

    // Asynchronous calls

    @Test
    public void futuresGiveWhatTheBlockingCallsGive() {
        assertEquals(Outcome.WRITTEN, store.upsertAsync("features", "flag", new Item(2, FLAG)).join().outcome());
        assertEquals(
                Optional.of(new Item(2, FLAG)), store.upsertAsync("features", "flag", new Item(1, "x")).join().stored());
        assertEquals(Optional.of(new Item(2, FLAG)), store.getAsync("features", "flag").join());
        assertEquals(Optional.empty(), store.getAsync("features", "nothing").join());
        assertEquals(Map.of("flag", new Item(2, FLAG)), store.getAllAsync("features").join());
        assertEquals(Map.of(), store.getAllAsync("nothing").join());
        assertFalse(store.initializedAsync().join());
        assertEquals(1, store.initAsync(Map.of("features", Map.of("flag", new Item(3, FLAG)))).join().written());
        assertEquals(1, store.initJsonAsync("{\"flags\":{\"flag\":" + FLAG + "}}").join().keptNewer());
        assertTrue(store.initializedAsync().join());
        assertTrue(store.availableAsync().join());
        assertEquals(OptionalLong.empty(), store.bigSegmentsMetadataAsync().join());
        assertEquals(Optional.empty(), store.bigSegmentsMembershipAsync("hash").join());
    }

    @Test
    public void futuresFailWithTheSameException() {
        CompletionException failed =
                assertThrows(CompletionException.class, () -> store.getAsync("features", "").join());
        refused("STORE_ERROR_EMPTY_KEY", () -> { throw failed.getCause(); });
        FlagStore closed = open(options());
        closed.close();
        CompletionException late =
                assertThrows(CompletionException.class, () -> closed.getAllAsync("features").join());
        refused("STORE_ERROR_INVALID_HANDLE", () -> { throw late.getCause(); });
    }

    @Test
    public void codeThatHangsOnAFutureHoldsUpNoOther() throws Exception {
        CyclicBarrier both = new CyclicBarrier(2);
        var held = store.getAsync("features", "nothing").thenApplyAsync(nothing -> {
            try {
                return both.await(30, TimeUnit.SECONDS);
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }, task -> new Thread(task).start());
        assertEquals(Optional.empty(), store.getAsync("features", "nothing").get(30, TimeUnit.SECONDS));
        both.await(30, TimeUnit.SECONDS);
        held.get(30, TimeUnit.SECONDS);
    }

    // Availability, big segments, cache, statistics

    @Test
    public void aTableThatAnswersIsAvailable() {
        assertTrue(store.available());
        assertFalse(open(options().endpoint(URI.create("http://127.0.0.1:1")).timeout(Duration.ofMillis(200))).available());
        assertTrue(events.stream().anyMatch(event -> event.message().contains("127.0.0.1:1")));
    }

    @Test
    public void bigSegmentsComeAsTheRelayProxyWroteThem() {
        assertEquals(OptionalLong.empty(), store.bigSegmentsMetadata());
        assertEquals(Optional.empty(), store.bigSegmentsMembership("hash"));
        String metadata = prefix + ":big_segments_metadata";
        rows.put(metadata, metadata, "{\"synchronizedOn\":{\"N\":\"1700000000123\"}}");
        rows.put(
                prefix + ":big_segments_user",
                "hash",
                "{\"included\":{\"SS\":[\"a.g1\",\"é.g2\"]},\"excluded\":{\"SS\":[\"a.g1\",\"b.g1\"]}}");
        assertEquals(OptionalLong.of(1_700_000_000_123L), store.bigSegmentsMetadata());
        assertEquals(
                Optional.of(Map.of("a.g1", true, "é.g2", true, "b.g1", false)), store.bigSegmentsMembership("hash"));
    }

    @Test
    public void theCacheAnswersUntilItIsCleared() {
        FlagStore cached = open(options().cacheTtl(Duration.ofMillis(-1)));
        store.upsert("features", "flag", new Item(1, FLAG));
        assertEquals(Optional.of(new Item(1, FLAG)), cached.get("features", "flag"));
        store.upsert("features", "flag", new Item(2, FLAG));
        assertEquals(Optional.of(new Item(1, FLAG)), cached.get("features", "flag"));
        assertEquals(1, cached.statistics().hits());
        cached.clearCache();
        assertEquals(Optional.of(new Item(2, FLAG)), cached.get("features", "flag"));
    }

    @Test
    public void statisticsCountRequestsAndUnits() {
        store.upsert("features", "flag", new Item(1, FLAG));
        store.get("features", "flag");
        Statistics statistics = store.statistics();
        assertEquals(2, statistics.requests());
        assertEquals(0, statistics.errors());
        assertTrue(statistics.toString(), statistics.writeUnits() >= 1);
        assertTrue(statistics.toString(), statistics.readUnits() > 0);
    }

    /** Which component has which count: each count is a number of its own. */
    @Test
    public void eachStatisticHasItsName() throws Exception {
        Map<?, ?> counts = (Map<?, ?>) Json.read(Answer.text(Native.statistics(handle(store))));
        StringBuilder json = new StringBuilder("{");
        int number = 0;
        for (Object name : counts.keySet()) json.append(number == 0 ? "" : ",").append('"').append(name).append("\":").append(++number);
        Statistics statistics = Statistics.of(json.append('}').toString());
        Map<?, ?> given = (Map<?, ?>) Json.read(json.toString());
        for (RecordComponent component : Statistics.class.getRecordComponents()) {
            String name = component.getName().replaceAll("[A-Z]", "_$0").toLowerCase(Locale.ROOT);
            Number read = (Number) component.getAccessor().invoke(statistics);
            assertEquals(name, ((Number) given.get(name)).longValue(), read.longValue());
        }
        assertEquals(counts.size(), Statistics.class.getRecordComponents().length);
        assertEquals(0, Statistics.of("{}").hits());
    }

    @Test
    public void equalOptionsShareOneLiveStore() {
        FlagStore second = open(options());
        FlagStore own = open(options().shared(false));
        store.upsert("features", "flag", new Item(1, FLAG));
        assertEquals(1, second.statistics().requests());
        assertEquals(0, own.statistics().requests());
    }

    // Events

    @Test
    public void whoeverGetsEventsMayUseTheStoreAndFail() {
        FlagStore[] own = new FlagStore[1];
        List<String> seen = new CopyOnWriteArrayList<>();
        own[0] = open(options().shared(false).onEvent(event -> {
            seen.add(event.message());
            own[0].upsert("features", "huge", new Item(1, "x".repeat(400_000)));
            throw new IllegalStateException("a test's own, which is logged");
        }));
        assertEquals(Outcome.TOO_LARGE, own[0].upsert("features", "huge", new Item(1, "x".repeat(400_000))).outcome());
        assertFalse(seen.isEmpty());
    }

    @Test
    public void aLoggerThatThrowsFailsNoCall() {
        List<String> logged = new CopyOnWriteArrayList<>();
        Handler failing = new Handler() {
            @Override
            public void publish(LogRecord entry) {
                logged.add(entry.getMessage());
                throw new IllegalStateException("a test's own");
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        Logger logger = Logger.getLogger(FlagStore.LOGGER);
        logger.addHandler(failing);
        try {
            FlagStore logging = open(options().shared(false).onEvent(null));
            assertEquals(Outcome.TOO_LARGE, logging.upsert("features", "huge", new Item(1, "x".repeat(400_000))).outcome());
        } finally {
            logger.removeHandler(failing);
        }
        assertTrue(logged.toString(), logged.contains("the recipient of events failed"));
    }

    @Test
    public void theLogLevelDecidesWhatIsKept() {
        FlagStore quiet = open(options().logLevel("off"));
        quiet.upsert("features", "huge", new Item(1, "x".repeat(400_000)));
        assertEquals(List.of(), events);
    }

    // Closing

    @Test
    public void aClosedStoreSaysSo() {
        store.close();
        store.close();
        assertTrue(store.closed());
        List<ThrowingRunnable> calls = List.of(
                () -> store.get("features", "flag"),
                () -> store.getAll("features"),
                () -> store.upsert("features", "flag", new Item(1, FLAG)),
                () -> store.init(Map.of()),
                () -> store.initJson("{}"),
                store::initialized,
                store::bigSegmentsMetadata,
                () -> store.bigSegmentsMembership("hash"),
                store::statistics,
                store::clearCache);
        for (ThrowingRunnable call : calls) {
            FlagStoreException error = refused("STORE_ERROR_INVALID_HANDLE", call);
            assertTrue(error.getMessage(), error.getMessage().contains("table \"flags\" is closed: open another one"));
        }
        assertFalse(store.available());
        assertEquals("FlagStore[table=flags, closed]", store.toString());
    }

    @Test
    public void callsInFlightSurviveTheClosing() throws Exception {
        FlagStore own = open(options().shared(false));
        own.upsert("features", "flag", new Item(1, FLAG));
        CyclicBarrier started = new CyclicBarrier(9);
        List<String> ends = new CopyOnWriteArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int number = 0; number < 8; number++) {
            Thread thread = new Thread(() -> {
                try {
                    started.await();
                    while (true) assertEquals(Optional.of(new Item(1, FLAG)), own.get("features", "flag"));
                } catch (FlagStoreException error) {
                    ends.add(error.codeName());
                } catch (Throwable error) {
                    ends.add(error.toString());
                }
            });
            thread.start();
            threads.add(thread);
        }
        started.await();
        own.close();
        for (Thread thread : threads) thread.join(30_000);
        assertEquals(List.of("STORE_ERROR_INVALID_HANDLE").toString(), ends.stream().distinct().toList().toString());
        assertEquals(8, ends.size());
    }

    @Test
    public void aStoreThatIsForgottenIsClosed() throws Exception {
        FlagStore forgotten = options().prefix(prefix + "-forgotten").open();
        long handle = handle(forgotten);
        assertTrue(Answer.code(Native.statistics(handle)) >= 0);
        WeakReference<FlagStore> gone = new WeakReference<>(forgotten);
        forgotten = null;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (Answer.code(Native.statistics(handle)) >= 0) {
            assertTrue("it is never closed", System.nanoTime() < deadline);
            System.gc();
            Thread.onSpinWait();
        }
        assertNull(gone.get());
        assertEquals(FlagStoreException.INVALID_HANDLE, Answer.code(Native.statistics(handle)));
    }

    @Test
    public void textsForPeopleShowNoCredential() {
        assertEquals("FlagStore[table=flags]", store.toString());
        assertFalse(options().toString().contains(Endpoint.SECRET));
    }
}
