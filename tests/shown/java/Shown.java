// The SDK's settings with a store of this library in them, and the store alone.

import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.LDConfig;
import io.flagstore.FlagStore;
import io.flagstore.Item;
import java.time.Duration;
import java.util.Map;
// IMPORTS

public class Shown {
    static void oneLine() {
        LDConfig.Builder config = new LDConfig.Builder();
        // SHOWN(README.md, 1)
        config.build();
    }

    static void itsOwnReadme() {
        // SHOWN(bindings/java/README.md, 1)
    }

    static void withBigSegments() {
        // SHOWN(bindings/java/README.md, 2)
    }

    static void options() {
        Object store =
        // SHOWN(bindings/java/README.md, 3)
        ;
    }

    static void store(String json) {
        // SHOWN(bindings/java/README.md, 4)
        try (FlagStore store = FlagStore.builder("my-table").prefix("production").open()) {
            Item flag = store.get("features", "my-flag").orElseThrow();
            if (flag.version() != 3 || !flag.deleted()) {
                throw new AssertionError(flag);
            }
        }
    }

    static void doctor() {
        // SHOWN(bindings/java/README.md, 5)
    }

    public static void main(String[] arguments) {
        oneLine();
        itsOwnReadme();
        withBigSegments();
        options();
        store("{\"key\":\"my-flag\",\"version\":2}");
        doctor();
    }
}
