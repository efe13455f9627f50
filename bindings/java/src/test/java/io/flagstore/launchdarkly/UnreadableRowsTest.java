package io.flagstore.launchdarkly;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import com.launchdarkly.logging.LDLogLevel;
import com.launchdarkly.logging.LogCapture;
import com.launchdarkly.logging.Logs;
import com.launchdarkly.sdk.LDContext;
import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.json.JsonSerialization;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.DataModel;
import com.launchdarkly.sdk.server.FeatureFlagsState;
import com.launchdarkly.sdk.server.LDClient;
import com.launchdarkly.sdk.server.LDConfig;
import com.launchdarkly.sdk.server.TestComponents;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.SerializedItemDescriptor;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.Endpoint;
import io.flagstore.Rows;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/** Rows that this SDK, or any, cannot read: the other ones are there all the same. */
public class UnreadableRowsTest {
    private static final LDContext USER = LDContext.create("u");
    private static final List<DataKind> KINDS = List.of(DataModel.FEATURES, DataModel.SEGMENTS);

    /** Those that this SDK can read all the same. */
    private static final Map<DataKind, Set<String>> READ = Map.of(
            DataModel.FEATURES, Set.of("byte order mark", "lone surrogate", "raw control character", "not a number",
                    "no members", "on is text", "salt is a number"),
            DataModel.SEGMENTS, Set.of("byte order mark", "lone surrogate", "raw control character", "not a number",
                    "includedContexts of null", "no members", "salt is a number"));

    private final String prefix = Endpoint.newPrefix();
    private final Rows rows = new Rows(Endpoint.local(), Endpoint.TABLE);
    private final LogCapture log = Logs.capture();
    private final PersistentDataStore store = Adapter.local(DynamoDb.dataStore(Endpoint.TABLE), prefix)
            .build(TestComponents.clientContext(
                    "sdk-key", new LDConfig.Builder().logging(Components.logging(log)).build()));
    private LDValue data;

    @Before
    public void read() throws IOException {
        data = LDValue.parse(Files.readString(Endpoint.REPOSITORY.resolve("tests/data/unreadable_rows.json")));
        // Clients ask a table only once it says that it has a data set.
        rows.put(prefix + ":$inited", prefix + ":$inited", "{}");
    }

    @After
    public void close() throws IOException {
        store.close();
    }

    private Map<String, String> readable(DataKind kind) {
        Map<String, String> items = new TreeMap<>();
        LDValue given = data.get("readable").get(kind.getName());
        given.keys().forEach(key -> items.put(key, given.get(key).stringValue()));
        return items;
    }

    private Iterable<LDValue> unreadable(DataKind kind) {
        return data.get("unreadable").get(kind.getName()).values();
    }

    private static String payload(LDValue row) {
        int nesting = row.get("nesting").intValue();
        return row.get("item").stringValue().replace("<>", "[".repeat(nesting) + "]".repeat(nesting));
    }

    private void put(DataKind kind, String key, int version, String payload) {
        rows.putItem(prefix + ":" + kind.getName(), key, version, payload);
    }

    private void putReadable() {
        for (DataKind kind : KINDS) readable(kind).forEach((key, payload) -> put(kind, key, 3, payload));
    }

    private void putAll() {
        putReadable();
        for (DataKind kind : KINDS) {
            for (LDValue row : unreadable(kind)) {
                put(kind, row.get("name").stringValue(), row.get("version").intValue(), payload(row));
            }
        }
    }

    private Map<String, SerializedItemDescriptor> all(DataKind kind) {
        Map<String, SerializedItemDescriptor> items = new TreeMap<>();
        store.getAll(kind).getItems().forEach(item -> items.put(item.getKey(), item.getValue()));
        return items;
    }

    private List<String> warnings() {
        List<String> messages = new ArrayList<>();
        for (LogCapture.Message message : log.getMessages()) {
            assertFalse(message.toString(), message.getLevel() == LDLogLevel.ERROR);
            if (message.getLevel() == LDLogLevel.WARN) messages.add(message.getText());
        }
        return messages;
    }

    @Test
    public void whatTheSdkCannotReadIsLeftOutAndTheOthersAreThere() {
        putAll();
        for (DataKind kind : KINDS) {
            Map<String, String> expected = readable(kind);
            Set<String> leftOut = new HashSet<>();
            for (LDValue row : unreadable(kind)) {
                String key = row.get("name").stringValue();
                if (READ.get(kind).contains(key)) expected.put(key, payload(row));
                else leftOut.add(key);
                if (row.get("everywhere").booleanValue()) assertTrue(key, leftOut.contains(key));
            }
            if (kind == DataModel.FEATURES) expected.put("no members", "{\"key\":\"no members\"}");
            Map<String, String> actual = new TreeMap<>();
            all(kind).forEach((key, item) -> actual.put(key, item.getSerializedItem()));
            assertEquals(expected, actual);
            expected.forEach((key, payload) -> assertEquals(key, payload, store.get(kind, key).getSerializedItem()));
            for (String key : leftOut) assertNull(key, store.get(kind, key));
            assertTrue(leftOut.toString(), leftOut.size() >= 20);
        }
    }

    @Test
    public void copiesOfAFlagGoByTheKeysOfTheirRows() {
        String flag = "{\"key\":\"original\",\"version\":3,\"variations\":[9007199254740991,1.5,null],\"salt\":\"\\u00e9\"}";
        for (String key : List.of("copy", "original", "other")) put(DataModel.FEATURES, key, 3, flag);
        all(DataModel.FEATURES).forEach((key, item) ->
                assertEquals(LDValue.parse(flag.replace("original", key)), LDValue.parse(item.getSerializedItem())));
        assertEquals(Set.of("copy", "original", "other"), all(DataModel.FEATURES).keySet());
        // Alone it hides no other, and buckets by its own key, as with the SDK's integration.
        assertEquals(flag, store.get(DataModel.FEATURES, "copy").getSerializedItem());
        assertEquals(List.of(), warnings());
    }

    @Test
    public void eachIsWarnedAboutOnceAVersionWithoutItsPayload() {
        putReadable();
        put(DataModel.FEATURES, "bad\n\"one\"", 3, "p4yl0ad");
        put(DataModel.SEGMENTS, "bad\n\"one\"", 3, "{\"key\":[\"p4yl0ad\"]}");
        for (int time = 0; time < 2; time++) {
            for (DataKind kind : KINDS) {
                assertEquals(readable(kind).keySet(), all(kind).keySet());
                assertNull(store.get(kind, "bad\n\"one\""));
            }
        }
        assertEquals(warnings().toString(), 2, warnings().size());
        for (int at = 0; at < 2; at++) {
            String item = "the item \"bad\\u000a\\\"one\\\"\" in \"" + KINDS.get(at).getName() + "\"";
            assertTrue(
                    warnings().get(at),
                    warnings().get(at).startsWith(item + " is left out: the SDK cannot read its version 3 (SerializationException)"));
        }
        put(DataModel.FEATURES, "bad\n\"one\"", 4, "p4yl0ad");
        all(DataModel.FEATURES);
        assertEquals(warnings().toString(), 3, warnings().size());
        assertTrue(warnings().get(2), warnings().get(2).contains("version 4"));
        assertFalse(warnings().toString(), warnings().toString().contains("p4yl0ad"));
    }

    @Test
    public void aClientSeesAllFlagsButThose() throws IOException {
        putAll();
        String copied = readable(DataModel.FEATURES).get("a readable flag");
        put(DataModel.FEATURES, "a copy under another key", 3, copied);
        put(DataModel.FEATURES, "in the segment", 3, "{\"key\":\"in the segment\",\"version\":3,\"on\":true,\"salt\":\"\","
                + "\"variations\":[\"out\",\"in\"],\"fallthrough\":{\"variation\":0},\"rules\":[{\"id\":\"r\",\"variation\":1,\"clauses\":"
                + "[{\"attribute\":\"\",\"op\":\"segmentMatch\",\"values\":[\"blank\",\"a readable segment\"]}]}]}");
        LDConfig config = new LDConfig.Builder()
                .dataStore(Components.persistentDataStore(Adapter.local(DynamoDb.dataStore(Endpoint.TABLE), prefix)))
                .dataSource(Components.externalUpdatesOnly())
                .events(Components.noEvents())
                .logging(Components.noLogging())
                .build();
        try (LDClient client = new LDClient("sdk-key", config)) {
            FeatureFlagsState state = client.allFlagsState(USER);
            assertTrue(state.isValid());
            // As it goes to a browser: a single number that JSON does not have would spoil all of it.
            String written = JsonSerialization.serialize(state);
            assertFalse(written, Pattern.compile("[:,\\[]-?(Infinity|NaN)").matcher(written).find());
            for (String key : readable(DataModel.FEATURES).keySet()) {
                assertEquals(key, LDValue.of(true), state.getFlagValue(key));
                assertTrue(key, client.boolVariation(key, USER, false));
            }
            assertEquals(LDValue.of(true), state.getFlagValue("a copy under another key"));
            assertTrue(client.boolVariation("a copy under another key", USER, false));
            assertEquals("in", client.stringVariation("in the segment", USER, "none"));
            for (LDValue row : unreadable(DataModel.FEATURES)) {
                String key = row.get("name").stringValue();
                if (READ.get(DataModel.FEATURES).contains(key)) continue;
                assertEquals(key, "none", client.stringVariation(key, USER, "none"));
                assertNull(key, state.getFlagValue(key));
            }
            assertTrue(client.getDataStoreStatusProvider().getStatus().isAvailable());
        }
    }
}
