import com.launchdarkly.sdk.EvaluationDetail;
import com.launchdarkly.sdk.LDContext;
import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.json.JsonSerialization;
import com.launchdarkly.sdk.json.SerializationException;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.LDClient;
import com.launchdarkly.sdk.server.LDConfig;
import io.flagstore.launchdarkly.DynamoDb;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** evaluations.py with the official Java SDK, which only reads. Runs in the repository's folder. */
public final class Evaluations {
    public static void main(String[] arguments) throws Exception {
        long begun = System.nanoTime();
        LDValue load = LDValue.parse(arguments[0]);
        List<String> wrong = new ArrayList<>();
        int total = 0;
        LDValue suites = LDValue.parse(Files.readString(Path.of("tests/data/evaluations.json"))).get("suites");
        for (int number = 0; number < Math.min(suites.size(), load.get("limit").intValue()); number++) {
            LDValue suite = suites.get(number);
            try (LDClient client = client(load.get("options"), "newborn-" + number)) {
                for (LDValue evaluation : suite.get("evaluations").values()) {
                    LDValue got = answer(client, evaluation);
                    total++;
                    if (!got.equals(evaluation.get("expect"))) {
                        wrong.add(suite.get("name").stringValue() + ": " + evaluation.get("flagKey").stringValue() + ": "
                                + got + " is not " + evaluation.get("expect"));
                    }
                }
            }
        }
        var said = LDValue.buildObject()
                .put("right", total - wrong.size())
                .put("total", total)
                .put("wrong", LDValue.Convert.String.arrayFrom(wrong.subList(0, Math.min(5, wrong.size()))))
                .put("seconds", (System.nanoTime() - begun) / 1e9);
        System.out.println(said.build().toJsonString());
    }

    private static LDClient client(LDValue options, String prefix) {
        var store = DynamoDb.dataStore(options.get("table").stringValue()).prefix(prefix);
        for (String name : options.keys()) {
            LDValue value = options.get(name);
            if (!name.equals("table") && !name.equals("prefix")) {
                store.option(name, value.isNumber() ? (Object) value.longValue() : value.stringValue());
            }
        }
        return new LDClient("sdk-key", new LDConfig.Builder()
                .dataStore(Components.persistentDataStore(store).noCaching())
                .dataSource(Components.externalUpdatesOnly())
                .events(Components.noEvents())
                .logging(Components.noLogging())
                .build());
    }

    /** The SDK's answer in the form of the expected one. */
    private static LDValue answer(LDClient client, LDValue evaluation) throws SerializationException {
        LDContext context = JsonSerialization.deserialize(evaluation.get("context").toJsonString(), LDContext.class);
        EvaluationDetail<LDValue> detail = client.jsonValueVariationDetail(
                evaluation.get("flagKey").stringValue(), context, evaluation.get("default"));
        var answer = LDValue.buildObject()
                .put("value", detail.getValue())
                .put("reason", LDValue.parse(JsonSerialization.serialize(detail.getReason())));
        if (!detail.isDefaultValue()) answer.put("variationIndex", detail.getVariationIndex());
        return answer.build();
    }
}
