import com.launchdarkly.sdk.LDContext;
import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.LDClient;
import com.launchdarkly.sdk.server.LDConfig;
import io.flagstore.launchdarkly.DynamoDb;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/** The load of one process: the official Java SDK evaluates flags on many threads. Argument and notes as in python.py. */
public final class Load {
    private static final int PAUSE_MS = 5;

    private static volatile boolean over;

    public static void main(String[] arguments) throws Exception {
        LDValue load = LDValue.parse(arguments[0]);
        LDValue options = load.get("options");
        var store = DynamoDb.dataStore(options.get("table").stringValue()).prefix(options.get("prefix").stringValue());
        for (String name : options.keys()) {
            LDValue value = options.get(name);
            if (!name.equals("table") && !name.equals("prefix")) {
                store.option(name, value.isNumber() ? (Object) value.longValue() : value.stringValue());
            }
        }
        LDConfig config = new LDConfig.Builder()
                .dataStore(Components.persistentDataStore(store).noCaching())
                .dataSource(Components.externalUpdatesOnly())
                .events(Components.noEvents())
                .logging(Components.noLogging())
                .build();
        try (LDClient client = new LDClient("sdk-key", config)) {
            List<Thread> threads = new ArrayList<>();
            for (int number = 0; number < load.get("threads").intValue(); number++) {
                Path notes = Path.of(load.get("notes").stringValue(), number + ".txt");
                threads.add(new Thread(() -> evaluate(client, load.get("flags").intValue(), notes)));
            }
            threads.forEach(Thread::start);
            System.in.readAllBytes();
            over = true;
            for (Thread thread : threads) thread.join();
        }
    }

    private static void evaluate(LDClient client, int flags, Path file) {
        LDContext context = LDContext.create("somebody");
        try (PrintWriter notes = new PrintWriter(Files.newBufferedWriter(file))) {
            while (!over) {
                String key = "flag" + ThreadLocalRandom.current().nextInt(flags);
                long begun = System.nanoTime();
                String value = client.stringVariation(key, context, "DEFAULT");
                long took = (System.nanoTime() - begun) / 1000;
                notes.printf("%d %d %s%n", System.currentTimeMillis(), took, value);
                Thread.sleep(PAUSE_MS);
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }
}
