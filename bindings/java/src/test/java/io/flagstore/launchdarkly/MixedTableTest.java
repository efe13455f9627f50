package io.flagstore.launchdarkly;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.DataModel;
import com.launchdarkly.sdk.server.LDConfig;
import com.launchdarkly.sdk.server.TestComponents;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.FullDataSet;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.KeyedItems;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.Endpoint;
import io.flagstore.FlagStore;
import io.flagstore.InitReport;
import io.flagstore.Item;
import io.flagstore.Rows;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Test;

/**
 * This package and native integrations share a table on dynalite, each reading what the other wrote: the Python SDK's by
 * itself; the Java SDK's, which is not on Maven Central, by rows in its form.
 */
public class MixedTableTest {
    private static final String SEGMENT =
            "{\"key\":\"segment\",\"version\":2,\"included\":[\"user\"],\"excluded\":[],\"rules\":[],\"salt\":\"\"}";
    private static final String DATA = "{\"segments\":{\"segment\":" + SEGMENT + "},\"features\":{\"one\":" + flag("one", 1)
            + ",\"two\":" + flag("two", 2) + "}}";

    private final String prefix = Endpoint.newPrefix();
    private final Rows rows = new Rows(Endpoint.dynalite(), Endpoint.TABLE);
    private final PersistentDataStore ours = Adapter.on(Endpoint.dynalite(), DynamoDb.dataStore(Endpoint.TABLE), prefix)
            .build(TestComponents.clientContext(
                    "sdk-key", new LDConfig.Builder().logging(Components.noLogging()).build()));

    @After
    public void close() throws Exception {
        ours.close();
    }

    private static String flag(String key, int version) {
        return "{\"key\":\"" + key + "\",\"version\":" + version
                + ",\"on\":true,\"fallthrough\":{\"variation\":0},\"variations\":[\"ä\",\"b\"],\"salt\":\"s\"}";
    }

    private static SerializedItemDescriptor live(int version, String item) {
        return new SerializedItemDescriptor(version, false, item);
    }

    private static Map.Entry<DataKind, KeyedItems<SerializedItemDescriptor>> collection(
            DataKind kind, Map<String, SerializedItemDescriptor> items) {
        return Map.entry(kind, new KeyedItems<>(items.entrySet()));
    }

    private void weInit() {
        ours.init(new FullDataSet<>(List.of(
                collection(DataModel.SEGMENTS, Map.of("segment", live(2, SEGMENT))),
                collection(DataModel.FEATURES, Map.of("one", live(1, flag("one", 1)), "two", live(2, flag("two", 2)))))));
    }

    /** What our store has, in the form of DATA: deleted items are null. */
    private LDValue weRead() {
        var all = LDValue.buildObject().put("initialized", ours.isInitialized());
        for (DataKind kind : List.of(DataModel.FEATURES, DataModel.SEGMENTS)) {
            var items = LDValue.buildObject();
            for (Map.Entry<String, SerializedItemDescriptor> item : ours.getAll(kind).getItems()) {
                assertEquals(item.getValue(), ours.get(kind, item.getKey()));
                if (!item.getValue().isDeleted()) items.put(item.getKey(), LDValue.parse(item.getValue().getSerializedItem()));
            }
            all.put(kind.getName(), items.build());
        }
        return all.build();
    }

    /** Runs the Python SDK's integration; gives what it printed. */
    private String python(String input, String... act) throws Exception {
        Path python = Endpoint.REPOSITORY.resolve("build/venv/bin/python");
        Path program = Endpoint.REPOSITORY.resolve("bindings/java/src/test/python/native_store.py");
        assertTrue(python + " is not there: make venv builds it", python.toFile().canExecute());
        List<String> command = new java.util.ArrayList<>(List.of(
                python.toString(), program.toString(), Endpoint.dynalite().url().toString(), Endpoint.TABLE, prefix));
        command.addAll(List.of(act));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (var stdin = process.getOutputStream()) {
            stdin.write(input.getBytes("UTF-8"));
        }
        String output = new String(process.getInputStream().readAllBytes(), "UTF-8");
        assertTrue("it hangs", process.waitFor(60, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
        return output;
    }

    private static LDValue with(boolean initialized, LDValue features, LDValue segments) {
        return LDValue.buildObject()
                .put("initialized", initialized)
                .put("features", features)
                .put("segments", segments)
                .build();
    }

    private static LDValue items(String... pairs) {
        var items = LDValue.buildObject();
        for (int at = 0; at < pairs.length; at += 2) items.put(pairs[at], LDValue.parse(pairs[at + 1]));
        return items.build();
    }

    private static final LDValue ALL = with(
            true, items("one", flag("one", 1), "two", flag("two", 2)), items("segment", SEGMENT));

    /** The Python SDK adds what it knows and was not given: compared is what was given. */
    private static void reads(LDValue expected, String printed) {
        LDValue read = LDValue.parse(printed);
        assertEquals(expected.get("initialized"), read.get("initialized"));
        for (String kind : List.of("features", "segments")) {
            assertEquals(names(expected.get(kind)), names(read.get(kind)));
            for (String key : expected.get(kind).keys()) {
                LDValue given = expected.get(kind).get(key);
                given.keys().forEach(name -> assertEquals(key, given.get(name), read.get(kind).get(key).get(name)));
            }
        }
    }

    private static java.util.Set<String> names(LDValue object) {
        java.util.Set<String> names = new java.util.TreeSet<>();
        object.keys().forEach(names::add);
        return names;
    }

    // The Python SDK

    @Test
    public void whatPythonWritesWeRead() throws Exception {
        assertFalse(ours.isInitialized());
        python(DATA, "init");
        assertEquals(ALL, weRead());
        python(flag("one", 5), "upsert", "features");
        python("", "delete", "features", "two", "9");
        python("", "delete", "segments", "segment", "9");
        assertEquals(with(true, items("one", flag("one", 5)), items()), weRead());
        assertEquals(new SerializedItemDescriptor(9, true, null), ours.get(DataModel.FEATURES, "two"));
        assertFalse(ours.upsert(DataModel.FEATURES, "two", live(8, flag("two", 8))));
        assertTrue(ours.upsert(DataModel.FEATURES, "two", live(10, flag("two", 10))));
    }

    @Test
    public void whatWeWritePythonReads() throws Exception {
        weInit();
        reads(ALL, python("", "read"));
        ours.upsert(DataModel.FEATURES, "one", live(5, flag("one", 5)));
        for (DataKind kind : List.of(DataModel.FEATURES, DataModel.SEGMENTS)) {
            // As the SDK's wrapper hands over a deletion.
            String deletion = kind.serialize(
                    com.launchdarkly.sdk.server.subsystems.DataStoreTypes.ItemDescriptor.deletedItem(9));
            String key = kind == DataModel.FEATURES ? "two" : "segment";
            assertTrue(ours.upsert(kind, key, new SerializedItemDescriptor(9, true, deletion)));
        }
        reads(with(true, items("one", flag("one", 5)), items()), python("", "read"));
        python(flag("one", 4), "upsert", "features");
        assertEquals(live(5, flag("one", 5)), ours.get(DataModel.FEATURES, "one"));
    }

    @Test
    public void eachReplacesTheOthersDataSet() throws Exception {
        python("{\"segments\":{},\"features\":{\"old\":" + flag("old", 1) + "}}", "init");
        weInit();
        assertEquals(ALL, weRead());
        python("{\"segments\":{},\"features\":{\"one\":" + flag("one", 2) + "}}", "init");
        assertEquals(with(true, items("one", flag("one", 2)), items()), weRead());
    }

    @Test
    public void anInitWithWhatPythonWroteCostsNoWrites() throws Exception {
        python(DATA, "init");
        try (FlagStore store = Endpoint.dynalite().store(prefix).logLevel("warn").open()) {
            assertEquals(new InitReport(0, 3, 0, 0, List.of(), new InitReport.Reason(0, List.of()), Map.of(), Map.of(), Map.of()), store.initJson(DATA));
            assertEquals(0.0, store.statistics().writeUnits(), 0);
        }
    }

    // The Java SDK's own integration: live items as Gson has them, deleted ones as the text "null"

    @Test
    public void rowsOfTheJavaSdksIntegrationAreRead() throws Exception {
        rows.putItem(prefix + ":features", "one", 1, flag("one", 1));
        rows.putItem(prefix + ":features", "two", 9, "null");
        rows.putItem(prefix + ":segments", "segment", 9, "null");
        rows.put(prefix + ":$inited", prefix + ":$inited", "{}");
        assertEquals(with(true, items("one", flag("one", 1)), items()), weRead());
        for (DataKind kind : List.of(DataModel.FEATURES, DataModel.SEGMENTS)) {
            String key = kind == DataModel.FEATURES ? "two" : "segment";
            assertEquals(new SerializedItemDescriptor(9, true, null), ours.get(kind, key));
            assertFalse(ours.upsert(kind, key, live(8, flag(key, 8))));
            assertTrue(ours.upsert(kind, key, live(10, flag(key, 10))));
        }
        assertNull(ours.get(DataModel.FEATURES, "three"));
    }

    @Test
    public void anInitWithWhatTheJavaSdksIntegrationWroteCostsNoWrites() {
        rows.putItem(prefix + ":features", "one", 1, flag("one", 1));
        rows.putItem(prefix + ":features", "two", 9, "null");
        rows.put(prefix + ":$inited", prefix + ":$inited", "{}");
        Map<String, Item> features = new LinkedHashMap<>();
        features.put("one", new Item(1, flag("one", 1)));
        features.put("two", Item.deleted(9));
        try (FlagStore store = Endpoint.dynalite().store(prefix).logLevel("warn").open()) {
            assertEquals(new InitReport(0, 2, 0, 0, List.of(), new InitReport.Reason(0, List.of()), Map.of(), Map.of(), Map.of()), store.init(Map.of("features", features)));
        }
    }
}
