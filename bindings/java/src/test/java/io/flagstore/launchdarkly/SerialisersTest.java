package io.flagstore.launchdarkly;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;

import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.server.DataModel;
import com.launchdarkly.sdk.server.subsystems.DataStoreTypes.DataKind;
import io.flagstore.Endpoint;
import io.flagstore.FlagStore;
import io.flagstore.InitReport;
import io.flagstore.Item;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;

/**
 * Services that hand over LaunchDarkly's own JSON, as Python, Ruby and Node.js do, and services that hand over what the
 * Java SDK makes of it restart in turns: one data set in two spellings, which must not be written again at each restart.
 */
public class SerialisersTest {
    /** With members that the SDK drops or adds, null ones, ones at their default, and numbers that it spells otherwise. */
    private static final List<String> FLAGS = List.of(
            "{\"key\":\"rules\",\"version\":12,\"deleted\":false,\"on\":true,\"salt\":\"s\",\"sel\":\"0a1b\",\"targets\":"
                    + "[{\"values\":[\"one\",\"two\"],\"variation\":0}],\"contextTargets\":[],\"rules\":[{\"id\":\"r\",\"variation\":1,"
                    + "\"clauses\":[{\"contextKind\":\"user\",\"attribute\":\"country\",\"op\":\"in\",\"values\":[\"nl\"],"
                    + "\"negate\":false}],\"trackEvents\":false}],\"fallthrough\":{\"rollout\":{\"contextKind\":\"user\","
                    + "\"variations\":[{\"variation\":0,\"weight\":60000},{\"variation\":1,\"weight\":40000}],\"bucketBy\":\"key\"}},"
                    + "\"offVariation\":1,\"variations\":[true,false],\"clientSideAvailability\":{\"usingMobileKey\":false,"
                    + "\"usingEnvironmentId\":false},\"clientSide\":false,\"debugEventsUntilDate\":null,\"prerequisites\":[]}",
            "{\"key\":\"numbers\",\"version\":3,\"on\":false,\"salt\":\"s\",\"fallthrough\":{\"variation\":0},\"offVariation\":1,"
                    + "\"variations\":[{\"null\":null,\"one\":1.0},{\"small\":1e-7},0.1]}",
            "{\"key\":\"plain\",\"version\":3,\"on\":true,\"salt\":\"s\",\"fallthrough\":{\"rollout\":{\"kind\":\"rollout\","
                    + "\"variations\":[{\"variation\":0,\"weight\":100000}]}},\"offVariation\":null,\"variations\":[\"a\",\"b\"]}");
    private static final List<String> SEGMENTS = List.of(
            "{\"key\":\"segment\",\"version\":5,\"deleted\":false,\"included\":[\"user\"],\"excluded\":[],\"salt\":\"s\",\"rules\":"
                    + "[{\"id\":\"r\",\"clauses\":[{\"contextKind\":\"user\",\"attribute\":\"email\",\"op\":\"endsWith\","
                    + "\"values\":[\"example.com\"],\"negate\":false}]}],\"generation\":null,\"unbounded\":false}");

    private static String raw(DataKind kind, String json) {
        return json;
    }

    private static String ofTheSdk(DataKind kind, String json) {
        return kind.serialize(kind.deserialize(json));
    }

    private static Map<String, Map<String, Item>> data(Spelling spelling) {
        Map<String, Map<String, Item>> data = new LinkedHashMap<>();
        Map.of(DataModel.FEATURES, FLAGS, DataModel.SEGMENTS, SEGMENTS).forEach((kind, texts) -> {
            Map<String, Item> items = new LinkedHashMap<>();
            for (String json : texts) {
                LDValue item = LDValue.parse(json);
                items.put(item.get("key").stringValue(), new Item(item.get("version").longValue(), spelling.of(kind, json)));
            }
            data.put(kind.getName(), items);
        });
        return data;
    }

    /** How a service writes an item that it was sent. */
    private interface Spelling {
        String of(DataKind kind, String json);
    }

    private static final Spelling SDK = SerialisersTest::ofTheSdk;
    private static final Spelling RAW = SerialisersTest::raw;

    private static void restartInTurns(Spelling first, Spelling second) {
        assertNotEquals(data(first), data(second));
        try (FlagStore store = Endpoint.local().store(Endpoint.newPrefix()).open()) {
            assertEquals(4, store.init(data(first)).written());
            store.init(data(second));
            for (int round = 2; round <= 3; round++) {
                for (Spelling spelling : List.of(first, second)) {
                    InitReport report = store.init(data(spelling));
                    assertEquals("round " + round + ": " + report, 0, report.written());
                    assertEquals(4, report.unchanged());
                }
            }
        }
    }

    @Test
    public void aDataSetInTheSdksSpellingAndRawIsWrittenInTheFirstRoundOnly() {
        restartInTurns(SDK, RAW);
    }

    @Test
    public void aDataSetRawAndInTheSdksSpellingIsWrittenInTheFirstRoundOnly() {
        restartInTurns(RAW, SDK);
    }
}
