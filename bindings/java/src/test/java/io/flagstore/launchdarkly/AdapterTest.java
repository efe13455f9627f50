package io.flagstore.launchdarkly;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.launchdarkly.logging.LDLogAdapter;
import com.launchdarkly.logging.LDLogLevel;
import com.launchdarkly.logging.LogCapture;
import com.launchdarkly.logging.Logs;
import com.launchdarkly.sdk.EvaluationDetail;
import com.launchdarkly.sdk.EvaluationReason.BigSegmentsStatus;
import com.launchdarkly.sdk.LDContext;
import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.DataModel;
import com.launchdarkly.sdk.server.LDClient;
import com.launchdarkly.sdk.server.LDConfig;
import com.launchdarkly.sdk.server.TestComponents;
import com.launchdarkly.sdk.server.integrations.PersistentDataStoreBuilder;
import com.launchdarkly.sdk.server.integrations.TestData;
import com.launchdarkly.sdk.server.interfaces.DataStoreStatusProvider;
import com.launchdarkly.sdk.server.subsystems.ClientContext;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.FullDataSet;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.KeyedItems;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.Endpoint;
import io.flagstore.FlagStore;
import io.flagstore.FlagStoreException;
import io.flagstore.Item;
import io.flagstore.Report;
import io.flagstore.Rows;
import java.net.URI;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.After;
import org.junit.Test;

/** The SDK adapter beyond the SDK's own suites: rows that others wrote, what is logged, and the SDK around it. */
public class AdapterTest {
    private static final LDContext USER = LDContext.create("user");

    private final String prefix = Endpoint.newPrefix();
    private final Rows rows = new Rows(Endpoint.local(), Endpoint.TABLE);
    private final LogCapture log = Logs.capture();
    private final PersistentDataStore store = build(Adapter.local(DynamoDb.dataStore(Endpoint.TABLE), prefix));

    private ClientContext context() {
        return TestComponents.clientContext(
                "sdk-key", new LDConfig.Builder().logging(Components.logging(log)).build());
    }

    private <T> T build(DynamoDbStoreBuilder<T> builder) {
        return builder.build(context());
    }

    @After
    public void close() throws Exception {
        store.close();
        assertFalse(log.getMessageStrings().toString(), log.getMessageStrings().toString().contains(Endpoint.SECRET));
    }

    private static String flag(String key, int version) {
        return "{\"key\":\"" + key + "\",\"version\":" + version
                + ",\"on\":false,\"offVariation\":0,\"variations\":[\"a\",\"b\"],\"salt\":\"\"}";
    }

    private static SerializedItemDescriptor live(int version, String item) {
        return new SerializedItemDescriptor(version, false, item);
    }

    private void init(DataKind kind, Map<String, SerializedItemDescriptor> items) {
        store.init(new FullDataSet<>(List.of(Map.entry(kind, new KeyedItems<>(items.entrySet())))));
    }

    private static Map<String, SerializedItemDescriptor> all(PersistentDataStore store, DataKind kind) {
        Map<String, SerializedItemDescriptor> items = new TreeMap<>();
        for (Map.Entry<String, SerializedItemDescriptor> item : store.getAll(kind).getItems()) {
            items.put(item.getKey(), item.getValue());
        }
        return items;
    }

    private List<String> logged(LDLogLevel level, String logger) {
        List<String> messages = new ArrayList<>();
        for (LogCapture.Message message : log.getMessages()) {
            if (message.getLevel() == level && message.getLoggerName().endsWith(logger)) messages.add(message.getText());
        }
        return messages;
    }

    // What other SDKs wrote

    @Test
    public void doctorTakesTheOptionsOfTheBuilder() {
        DynamoDbStoreBuilder<PersistentDataStore> missing = Adapter.local(DynamoDb.dataStore("no-such-table"), prefix);
        for (Report report : List.of(missing.doctor(), missing.doctorAsync().join())) {
            assertTrue(report.toString(), report.findings().stream()
                    .anyMatch(one -> one.check().equals("table") && one.found().contains("no-such-table")));
            assertFalse(report.toString().contains(Endpoint.SECRET));
        }
        FlagStoreException wrong = assertThrows(FlagStoreException.class, () -> missing.option("timeout_ms", -1).doctor());
        assertTrue(wrong.getMessage(), wrong.getMessage().contains("timeout_ms"));
    }

    @Test
    public void aTombstoneOfAnySdkIsADeletedItem() {
        List<String> tombstones = List.of(
                "null",
                "{\"key\":\"gone\",\"version\":5,\"deleted\":true}",
                "{\"version\":5,\"deleted\":true}",
                "{\"key\":\"$deleted\",\"version\":5,\"deleted\":true,\"on\":false,\"variations\":[],\"rules\":[]}");
        SerializedItemDescriptor deleted = new SerializedItemDescriptor(5, true, null);
        for (DataKind kind : List.of(DataModel.FEATURES, DataModel.SEGMENTS)) {
            for (String tombstone : tombstones) {
                init(kind, Map.of("here", live(1, flag("here", 1))));
                rows.putItem(prefix + ":" + kind.getName(), "gone", 5, tombstone);
                assertEquals(deleted, store.get(kind, "gone"));
                assertEquals(Map.of("here", live(1, flag("here", 1)), "gone", deleted), all(store, kind));
                assertFalse(store.upsert(kind, "gone", live(4, flag("gone", 4))));
                assertEquals(deleted, store.get(kind, "gone"));
            }
        }
    }

    @Test
    public void aDeletionIsWrittenInTheFormThatEverySdkReads() {
        for (DataKind kind : List.of(DataModel.FEATURES, DataModel.SEGMENTS)) {
            SerializedItemDescriptor deletion =
                    new SerializedItemDescriptor(3, true, "{\"version\":3,\"deleted\":true}");
            assertTrue(store.upsert(kind, "flag", deletion));
            LDValue row = rows.get(prefix + ":" + kind.getName(), "flag");
            assertEquals("3", row.get("version").get("N").stringValue());
            LDValue written = LDValue.parse(row.get("item").get("S").stringValue());
            assertEquals("$deleted", written.get("key").stringValue());
            assertEquals(3, written.get("version").intValue());
            assertTrue(written.get("deleted").booleanValue());
            assertTrue(written.toString(), written.size() > 5);
            assertTrue(store.upsert(kind, "flag", live(4, flag("flag", 4))));
        }
    }

    @Test
    public void itemsAreWrittenAsTheSdkWritesThem() {
        init(DataModel.FEATURES, Map.of("flag", live(1, flag("flag", 1))));
        LDValue row = rows.get(prefix + ":features", "flag");
        assertEquals(flag("flag", 1), row.get("item").get("S").stringValue());
        assertEquals(4, row.size());
    }

    @Test
    public void aVersionThatTheSdkCannotHoldIsLeftOutAndLogged() {
        init(DataModel.FEATURES, Map.of("highest", live(Integer.MAX_VALUE, flag("highest", Integer.MAX_VALUE))));
        rows.putItem(prefix + ":features", "beyond", Integer.MAX_VALUE + 1L, flag("beyond", 1));
        assertNull(store.get(DataModel.FEATURES, "beyond"));
        assertEquals(
                Map.of("highest", live(Integer.MAX_VALUE, flag("highest", Integer.MAX_VALUE))),
                all(store, DataModel.FEATURES));
        List<String> warnings = logged(LDLogLevel.WARN, "DataStore.DynamoDb");
        assertEquals(warnings.toString(), 1, warnings.size());
        assertTrue(warnings.toString(), warnings.get(0).contains("\"beyond\"") && warnings.get(0).contains("2147483648"));
        // It is the newer one all the same.
        assertFalse(store.upsert(DataModel.FEATURES, "beyond", live(7, flag("beyond", 7))));
    }

    @Test
    public void aVersionThatOverflowedIsRefusedBeforeAnythingIsWritten() {
        int overflowed = Integer.MAX_VALUE + 1;
        FlagStoreException upsert = assertThrows(
                FlagStoreException.class, () -> store.upsert(DataModel.FEATURES, "flag", live(overflowed, "x")));
        FlagStoreException init = assertThrows(
                FlagStoreException.class,
                () -> init(DataModel.FEATURES, Map.of("good", live(1, "x"), "flag", live(overflowed, "x"))));
        for (FlagStoreException error : List.of(upsert, init)) {
            assertEquals("STORE_ERROR_INVALID_VERSION", error.codeName());
            assertTrue(error.getMessage(), error.getMessage().contains("\"flag\""));
        }
        assertEquals(Map.of(), all(store, DataModel.FEATURES));
        assertFalse(store.isInitialized());
    }

    @Test
    public void anItemThatIsTooLargeLeavesWhatAllOthersRead() {
        init(DataModel.FEATURES, Map.of("huge", live(1, flag("huge", 1)), "other", live(1, flag("other", 1))));
        SerializedItemDescriptor huge = live(2, "x".repeat(400_000));
        assertFalse(store.upsert(DataModel.FEATURES, "huge", huge));
        init(DataModel.FEATURES, Map.of("huge", huge, "other", live(2, flag("other", 2))));
        assertEquals(live(1, flag("huge", 1)), store.get(DataModel.FEATURES, "huge"));
        assertEquals(live(2, flag("other", 2)), store.get(DataModel.FEATURES, "other"));
        List<String> errors = logged(LDLogLevel.ERROR, "DataStore.DynamoDb");
        assertEquals(errors.toString(), 2, errors.size());
        assertFalse(errors.toString().contains("xxxx"));
    }

    // What is logged

    @Test
    public void failuresAreLoggedOnceUntilOneGoesWell() throws Exception {
        Endpoint faults = Endpoint.faults();
        DynamoDbStoreBuilder<PersistentDataStore> builder =
                Adapter.on(faults, DynamoDb.dataStore(Endpoint.TABLE), prefix).option("shared", false);
        try (PersistentDataStore failing = build(builder)) {
            for (int outage = 1; outage <= 2; outage++) {
                faults.tell("/script", "{\"rules\":[{\"do\":{\"do\":\"refuse\",\"type\":\"AccessDeniedException\"}}]}");
                for (int attempt = 0; attempt < 3; attempt++) {
                    assertThrows(FlagStoreException.class, () -> failing.get(DataModel.FEATURES, "flag"));
                }
                assertFalse(failing.isStoreAvailable());
                faults.tell("/reset", "{}");
                assertNull(failing.get(DataModel.FEATURES, "flag"));
                assertTrue(failing.isStoreAvailable());
                List<String> errors = logged(LDLogLevel.ERROR, "DataStore.DynamoDb");
                assertEquals(errors.toString(), outage, errors.size());
            }
        }
    }

    /** A logger that fails as it is told to, whatever is logged. */
    private static final class FailingLogs implements LDLogAdapter {
        private Supplier<? extends Error> failure;

        @Override
        public Channel newChannel(String name) {
            return new Channel() {
                @Override
                public boolean isEnabled(LDLogLevel level) {
                    return true;
                }

                @Override
                public void log(LDLogLevel level, Object message) {
                    if (failure != null) throw failure.get();
                }

                @Override
                public void log(LDLogLevel level, String format, Object parameter) {
                    log(level, format);
                }

                @Override
                public void log(LDLogLevel level, String format, Object first, Object second) {
                    log(level, format);
                }

                @Override
                public void log(LDLogLevel level, String format, Object... parameters) {
                    log(level, format);
                }
            };
        }
    }

    @Test
    public void aLoggerThatThrowsChangesNoCall() throws Exception {
        FailingLogs logs = new FailingLogs();
        ClientContext context = TestComponents.clientContext(
                "sdk-key", new LDConfig.Builder().logging(Components.logging(logs)).build());
        logs.failure = () -> new NoClassDefFoundError("of a logging framework");
        Endpoint faults = Endpoint.faults();
        DynamoDbStoreBuilder<PersistentDataStore> builder =
                Adapter.on(faults, DynamoDb.dataStore(Endpoint.TABLE), prefix)
                        .option("log_level", "debug")
                        .option("keep_told", false);
        try (PersistentDataStore quiet = builder.build(context)) {
            SerializedItemDescriptor good = live(1, flag("good", 1));
            quiet.init(new FullDataSet<>(List.of(Map.entry(
                    DataModel.FEATURES,
                    new KeyedItems<>(Map.of("good", good, "huge", live(1, "x".repeat(400_000))).entrySet())))));
            rows.putItem(prefix + ":features", "bad", 1, "no flag");
            assertEquals(Map.of("good", good), all(quiet, DataModel.FEATURES));
            assertNull(quiet.get(DataModel.FEATURES, "bad"));
            assertFalse(quiet.upsert(DataModel.FEATURES, "huge", live(1, "x".repeat(400_000))));
            faults.tell("/script", "{\"rules\":[{\"do\":{\"do\":\"refuse\",\"type\":\"AccessDeniedException\"}}]}");
            for (int time = 0; time < 2; time++) {
                FlagStoreException error =
                        assertThrows(FlagStoreException.class, () -> quiet.get(DataModel.FEATURES, "good"));
                assertEquals("STORE_ERROR_ACCESS_DENIED", error.codeName());
            }
            assertFalse(quiet.isStoreAvailable());
            faults.tell("/reset", "{}");
            assertTrue(quiet.isInitialized());
        }
    }

    @Test
    public void whereTheStoreIsIsToldOnceWithoutWhatIsSecret() throws Exception {
        URI url = Endpoint.local().url();
        assertEquals(
                List.of("Using DynamoDB table \"flags\" with prefix \"" + prefix + "\" at http://" + url.getHost() + ":"
                        + url.getPort() + " in region \"us-east-1\", through libflagstore " + FlagStore.libraryVersion() + " ("
                        + FlagStore.libraryPath() + ")"),
                logged(LDLogLevel.INFO, "DataStore.DynamoDb"));
        URI secret = URI.create("http://user:" + Endpoint.SECRET + "@localhost:8000/");
        build(Adapter.local(DynamoDb.bigSegmentStore("a\nb"), null).endpoint(secret)).close();
        String line = logged(LDLogLevel.INFO, "BigSegments.DynamoDb").get(0);
        assertTrue(line, line.startsWith("Using DynamoDB table \"a\\u000ab\" with no prefix at http://localhost:8000 in region"));
    }

    @Test
    public void eachKindOfStoreHasItsLogger() throws Exception {
        build(Adapter.local(DynamoDb.bigSegmentStore(Endpoint.TABLE), prefix)).close();
        assertEquals(1, logged(LDLogLevel.INFO, "DataStore.DynamoDb").size());
        assertEquals(1, logged(LDLogLevel.INFO, "BigSegments.DynamoDb").size());
    }

    // The SDK around it

    private LDConfig.Builder config(PersistentDataStoreBuilder dataStore) {
        return new LDConfig.Builder()
                .dataStore(dataStore)
                .dataSource(Components.externalUpdatesOnly())
                .events(Components.noEvents())
                .logging(Components.logging(log));
    }

    private PersistentDataStoreBuilder uncached() {
        return Components.persistentDataStore(Adapter.local(DynamoDb.dataStore(Endpoint.TABLE), prefix)).noCaching();
    }

    @Test
    public void theClientReadsWhatAnotherProcessWrote() throws Exception {
        init(DataModel.FEATURES, Map.of("flag", live(1, flag("flag", 1))));
        try (LDClient client = new LDClient("sdk-key", config(uncached()).build())) {
            assertTrue(client.isInitialized());
            assertTrue(client.getDataStoreStatusProvider().isStatusMonitoringEnabled());
            assertEquals("a", client.stringVariation("flag", USER, "none"));
            assertEquals(Map.of("flag", LDValue.of("a")), client.allFlagsState(USER).toValuesMap());
        }
    }

    @Test
    public void theClientWritesWhatItsDataSourceBrings() throws Exception {
        TestData source = TestData.dataSource();
        source.update(source.flag("flag").variations(LDValue.of("a"), LDValue.of("b")).fallthroughVariation(0));
        LDConfig config = config(uncached()).dataSource(source).build();
        try (LDClient client = new LDClient("sdk-key", config);
                FlagStore own = Endpoint.local().store(prefix).open()) {
            assertTrue(own.initialized());
            long before = own.get("features", "flag").orElseThrow().version();
            assertEquals("a", client.stringVariation("flag", USER, "none"));
            source.update(source.flag("flag").fallthroughVariation(1));
            assertEquals("b", client.stringVariation("flag", USER, "none"));
            assertEquals(before + 1, own.get("features", "flag").orElseThrow().version());
        }
    }

    @Test
    public void theClientTellsAnOutageAndItsEnd() throws Exception {
        init(DataModel.FEATURES, Map.of("flag", live(1, flag("flag", 1))));
        Endpoint faults = Endpoint.faults();
        PersistentDataStoreBuilder dataStore = Components.persistentDataStore(
                        Adapter.on(faults, DynamoDb.dataStore(Endpoint.TABLE), prefix).option("timeout_ms", 500))
                .noCaching();
        try (LDClient client = new LDClient("sdk-key", config(dataStore).build())) {
            CompletableFuture<Void> down = new CompletableFuture<>();
            CompletableFuture<Void> up = new CompletableFuture<>();
            DataStoreStatusProvider status = client.getDataStoreStatusProvider();
            status.addStatusListener(change -> (change.isAvailable() ? up : down).complete(null));
            // The SDK watches the status only once it knows that the store is initialised.
            assertEquals("a", client.stringVariation("flag", USER, "none"));
            faults.tell("/script", "{\"rules\":[{\"do\":\"reset\"}]}");
            assertEquals("none", client.stringVariation("flag", USER, "none"));
            down.get(30, TimeUnit.SECONDS);
            faults.tell("/reset", "{}");
            up.get(30, TimeUnit.SECONDS);
            assertEquals("a", client.stringVariation("flag", USER, "none"));
        }
    }

    /** Every call of the SDK's goes well: what it was told stands in. */
    @Test
    public void theClientTellsAnOutageInWhichOlderValuesStandInAndItsEnd() throws Exception {
        Endpoint faults = Endpoint.faults();
        TestData source = TestData.dataSource();
        source.update(source.flag("flag").variations(LDValue.of("a"), LDValue.of("b")).fallthroughVariation(0));
        PersistentDataStoreBuilder dataStore = Components.persistentDataStore(
                        Adapter.on(faults, DynamoDb.dataStore(Endpoint.TABLE), prefix).option("timeout_ms", 1_000))
                .noCaching();
        try (LDClient client = new LDClient("sdk-key", config(dataStore).dataSource(source).build())) {
            List<Boolean> told = new CopyOnWriteArrayList<>();
            CompletableFuture<Void> down = new CompletableFuture<>();
            CompletableFuture<Void> up = new CompletableFuture<>();
            client.getDataStoreStatusProvider().addStatusListener(change -> {
                told.add(change.isAvailable());
                (change.isAvailable() ? up : down).complete(null);
            });
            assertEquals("a", client.stringVariation("flag", USER, "none"));
            faults.tell("/script", "{\"rules\":[{\"do\":\"black_hole\"}]}");
            assertEquals("a", client.stringVariation("flag", USER, "none"));
            down.get(30, TimeUnit.SECONDS);
            assertFalse(client.getDataStoreStatusProvider().getStatus().isAvailable());
            for (int time = 0; time < 20; time++) assertEquals("a", client.stringVariation("flag", USER, "none"));
            faults.tell("/reset", "{}");
            up.get(30, TimeUnit.SECONDS);
            assertTrue(client.getDataStoreStatusProvider().getStatus().isAvailable());
            assertEquals(List.of(false, true), told);
            assertEquals("a", client.stringVariation("flag", USER, "none"));
        }
    }

    @Test
    public void whatCouldNotBeWrittenIsWrittenBeforeTheStoreSaysThatItIsAvailable() throws Exception {
        Endpoint faults = Endpoint.faults();
        try (PersistentDataStore writer = build(
                Adapter.on(faults, DynamoDb.dataStore(Endpoint.TABLE), prefix).option("timeout_ms", 1_000))) {
            SerializedItemDescriptor second = live(2, flag("flag", 2));
            writer.init(new FullDataSet<>(List.of(Map.entry(
                    DataModel.FEATURES, new KeyedItems<>(Map.of("flag", live(1, flag("flag", 1))).entrySet())))));
            faults.tell("/script", "{\"rules\":[{\"do\":\"fault\"}]}");
            assertThrows(FlagStoreException.class, () -> writer.upsert(DataModel.FEATURES, "flag", second));
            assertEquals(second, writer.get(DataModel.FEATURES, "flag"));
            faults.tell("/reset", "{}");
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            while (!writer.isStoreAvailable()) assertTrue("still away", System.nanoTime() < end);
            assertEquals(second, store.get(DataModel.FEATURES, "flag"));
        }
    }

    @Test
    public void theClientEvaluatesBigSegments() throws Exception {
        store.init(new FullDataSet<>(List.of(
                Map.entry(DataModel.SEGMENTS, new KeyedItems<>(Map.of("big", live(1, "{\"key\":\"big\",\"version\":1,"
                        + "\"unbounded\":true,\"generation\":2,\"salt\":\"\",\"rules\":[]}")).entrySet())),
                Map.entry(DataModel.FEATURES, new KeyedItems<>(Map.of("flag", live(1, "{\"key\":\"flag\",\"version\":1,"
                        + "\"on\":true,\"variations\":[\"a\",\"b\"],\"fallthrough\":{\"variation\":0},\"salt\":\"\",\"rules\":[{\"id\":"
                        + "\"r\",\"variation\":1,\"clauses\":[{\"attribute\":\"\",\"op\":\"segmentMatch\",\"values\":[\"big\"]}]}]}"))
                        .entrySet())))));
        byte[] hash = MessageDigest.getInstance("SHA-256").digest("member".getBytes());
        rows.put(
                prefix + ":big_segments_user",
                Base64.getEncoder().encodeToString(hash),
                "{\"included\":{\"SS\":[\"big.g2\"]}}");
        String metadata = prefix + ":big_segments_metadata";
        rows.put(metadata, metadata, "{\"synchronizedOn\":{\"N\":\"" + (1L << 42) + "\"}}");
        LDConfig config = config(uncached())
                .bigSegments(Components.bigSegments(Adapter.local(DynamoDb.bigSegmentStore(Endpoint.TABLE), prefix)))
                .build();
        try (LDClient client = new LDClient("sdk-key", config)) {
            Map.of("member", "b", "other", "a").forEach((key, value) -> {
                EvaluationDetail<String> detail = client.stringVariationDetail("flag", LDContext.create(key), "none");
                assertEquals(value, detail.getValue());
                assertEquals(BigSegmentsStatus.HEALTHY, detail.getReason().getBigSegmentsStatus());
            });
        }
    }

    @Test
    public void theStoreKeepsNoCacheOfItsOwn() {
        try (FlagStore own = Endpoint.local().store(prefix).open()) {
            assertNull(store.get(DataModel.FEATURES, "flag"));
            own.upsert("features", "flag", new Item(1, flag("flag", 1)));
            assertEquals(live(1, flag("flag", 1)), store.get(DataModel.FEATURES, "flag"));
        }
    }

    @Test
    public void aTableThatIsNotThereIsNotAvailable() throws Exception {
        try (PersistentDataStore missing = build(Adapter.local(DynamoDb.dataStore("no-such-table"), null))) {
            assertFalse(missing.isStoreAvailable());
            FlagStoreException error =
                    assertThrows(FlagStoreException.class, () -> missing.get(DataModel.FEATURES, "flag"));
            assertTrue(error.getMessage(), error.getMessage().contains("no-such-table"));
        }
    }

    @Test
    public void aClosedStoreIsNotAvailable() throws Exception {
        store.close();
        assertFalse(store.isStoreAvailable());
    }

    @Test
    public void theSdkCallsItDynamoDb() {
        assertEquals(LDValue.of("DynamoDB"), DynamoDb.dataStore("flags").describeConfiguration(context()));
        assertEquals(LDValue.of("DynamoDB"), DynamoDb.bigSegmentStore("flags").describeConfiguration(context()));
    }

    @Test
    public void anOutageAtTheStartIsOverWhenTheTableAnswers() throws Exception {
        URI nowhere = URI.create("http://127.0.0.1:1");
        DynamoDbStoreBuilder<PersistentDataStore> builder = Adapter.local(DynamoDb.dataStore(Endpoint.TABLE), prefix)
                .option("timeout_ms", Duration.ofMillis(200));
        try (PersistentDataStore unreachable = build(builder.endpoint(nowhere))) {
            assertFalse(unreachable.isStoreAvailable());
            assertThrows(FlagStoreException.class, unreachable::isInitialized);
        }
        try (PersistentDataStore reachable = build(builder.endpoint(Endpoint.local().url()))) {
            assertFalse(reachable.isInitialized());
        }
    }
}
