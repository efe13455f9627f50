package io.flagstore.launchdarkly;

import static org.junit.Assert.assertEquals;

import com.launchdarkly.sdk.EvaluationDetail;
import com.launchdarkly.sdk.LDContext;
import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.json.JsonSerialization;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.LDClient;
import com.launchdarkly.sdk.server.LDConfig;
import io.flagstore.Endpoint;
import io.flagstore.FlagStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.junit.runners.Parameterized;

/** The real SDK, in daemon mode, evaluates what this package stored: all of the harness's server-side cases. */
@RunWith(Parameterized.class)
public class EvaluationsTest {
    private static int evaluations;

    private final LDValue dataSet;

    public EvaluationsTest(String name, LDValue dataSet) {
        this.dataSet = dataSet;
    }

    @Parameterized.Parameters(name = "{0}")
    public static List<Object[]> dataSets() {
        LDValue data;
        try {
            data = LDValue.parse(Files.readString(Endpoint.REPOSITORY.resolve("tests/data/evaluations.json")));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        List<Object[]> suites = new ArrayList<>();
        for (LDValue suite : data.get("suites").values()) {
            suites.add(new Object[] {suite.get("name").stringValue(), suite});
            evaluations += suite.get("evaluations").size();
        }
        assertEquals("data sets", 300, suites.size());
        assertEquals("evaluations", 720, evaluations);
        return suites;
    }

    @Test
    public void theSdkEvaluatesAsWithItsOwnStore() throws Exception {
        String prefix = Endpoint.newPrefix();
        try (FlagStore store = Endpoint.local().store(prefix).open()) {
            LDValue all = LDValue.buildObject()
                    .put("flags", dataSet.get("flags"))
                    .put("segments", dataSet.get("segments"))
                    .build();
            store.initJson(all.toJsonString());
        }
        LDConfig config = new LDConfig.Builder()
                .dataStore(Components.persistentDataStore(Adapter.local(DynamoDb.dataStore(Endpoint.TABLE), prefix))
                        .noCaching())
                .dataSource(Components.externalUpdatesOnly())
                .events(Components.noEvents())
                .logging(Components.noLogging())
                .build();
        try (LDClient client = new LDClient("sdk-key", config)) {
            for (LDValue evaluation : dataSet.get("evaluations").values()) {
                assertEquals(evaluation.get("name").toString(), evaluation.get("expect"), answer(client, evaluation));
            }
        }
    }

    /** The SDK's answer in the form of the expected one. */
    private static LDValue answer(LDClient client, LDValue evaluation) {
        LDContext context = context(evaluation.get("context"));
        EvaluationDetail<LDValue> detail = client.jsonValueVariationDetail(
                evaluation.get("flagKey").stringValue(), context, evaluation.get("default"));
        var answer = LDValue.buildObject()
                .put("value", detail.getValue())
                .put("reason", LDValue.parse(JsonSerialization.serialize(detail.getReason())));
        if (!detail.isDefaultValue()) answer.put("variationIndex", detail.getVariationIndex());
        return answer.build();
    }

    private static LDContext context(LDValue given) {
        try {
            return JsonSerialization.deserialize(given.toJsonString(), LDContext.class);
        } catch (com.launchdarkly.sdk.json.SerializationException error) {
            throw new IllegalStateException(error);
        }
    }
}
