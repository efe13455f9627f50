import io.flagstore.FlagStore;
import io.flagstore.Item;

/** As smoke.py. */
public final class Smoke {
    public static void main(String[] arguments) {
        try (FlagStore store = FlagStore.builder("flags")
                .option("prefix", arguments[1])
                .option("endpoint", arguments[0])
                .option("region", "eu-west-1")
                .option("access_key_id", "local")
                .option("secret_access_key", "local")
                .open()) {
            expect("not initialized", !store.initialized());
            expect("one row", store.initJson("{\"flags\":{\"flag\":" + payload(1) + "}}").written() == 1);
            expect("the first version", store.get("features", "flag").orElseThrow().item().equals(payload(1)));
            expect("written", store.upsert("features", "flag", new Item(2, payload(2))).written());
            expect("the second version", store.get("features", "flag").orElseThrow().item().equals(payload(2)));
            expect("initialized", store.initialized());
        }
        System.out.println("used " + FlagStore.libraryVersion() + " " + FlagStore.libraryPath());
    }

    private static String payload(int version) {
        return "{\"key\":\"flag\",\"version\":" + version + ",\"salt\":\"\u00e4\u6f22\"}";
    }

    private static void expect(String what, boolean holds) {
        if (!holds) throw new AssertionError(what);
    }
}
