package io.flagstore;

import static java.util.stream.Collectors.joining;
import static org.junit.Assert.assertEquals;

import com.launchdarkly.sdk.EvaluationReason;
import com.launchdarkly.sdk.LDContext;
import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.LDClient;
import com.launchdarkly.sdk.server.LDConfig;
import io.flagstore.launchdarkly.DynamoDb;
import java.lang.reflect.Method;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.junit.Assume;
import org.junit.Test;

/** A virtual thread that waits for DynamoDB leaves its carrier to others. */
public class VirtualThreadsTest {
    private static final int EVALUATIONS = 8;

    /** Calls that wait, from a virtual thread each, and a virtual thread that has nothing to do with them. */
    private static final class Waiting {
        private static Thread virtual(Runnable task) throws ReflectiveOperationException {
            // Since Java 21; this is compiled for 17.
            Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
            Method start = Class.forName("java.lang.Thread$Builder").getMethod("start", Runnable.class);
            return (Thread) start.invoke(builder, task);
        }

        static void on(List<Runnable> calls) throws Exception {
            CountDownLatch ended = new CountDownLatch(calls.size());
            List<Thread> threads = new ArrayList<>();
            for (Runnable call : calls) {
                threads.add(virtual(() -> {
                    try {
                        call.run();
                    } catch (FlagStoreException silence) {
                        // As it should.
                    }
                    ended.countDown();
                }));
            }
            CountDownLatch ran = new CountDownLatch(1);
            virtual(ran::countDown);
            ran.await();
            System.out.println("another ran while " + ended.getCount() + " waited");
            for (Thread thread : threads) thread.join();
            System.exit(0);
        }
    }

    /** Every call of a store. */
    public static final class OnTheStore {
        public static void main(String[] arguments) throws Exception {
            URI silent = URI.create(arguments[0]);
            FlagStore store = FlagStore.builder(Endpoint.TABLE).endpoint(silent).region("us-east-1")
                    .credentials("test", Endpoint.SECRET).option("timeout_ms", 3_000).option("all_timeout_ms", 3_000)
                    .option("init_timeout_ms", 3_000).onEvent(event -> {}).open();
            Waiting.on(List.of(
                    () -> store.get("features", "flag"),
                    () -> store.getAll("features"),
                    () -> store.upsert("features", "flag", new Item(1, "{}")),
                    () -> store.init(Map.of("features", Map.of("flag", new Item(1, "{}")))),
                    () -> store.initJson("{\"flags\":{}}"),
                    store::initialized,
                    store::available,
                    store::bigSegmentsMetadata,
                    () -> store.bigSegmentsMembership("hash"),
                    () -> FlagStore.builder(Endpoint.TABLE).endpoint(silent).region("us-east-1")
                            .credentials("test", Endpoint.SECRET).option("timeout_ms", 3_000).doctor()));
        }
    }

    /** Evaluations, which the SDK's cache has read a flag under a monitor. */
    public static final class InTheSdk {
        public static void main(String[] arguments) throws Exception {
            LDClient client = new LDClient("sdk-key", new LDConfig.Builder()
                    .dataStore(Components.persistentDataStore(DynamoDb.dataStore(Endpoint.TABLE).prefix(arguments[1])
                            .endpoint(URI.create(arguments[0])).option("region", "us-east-1").option("access_key_id", "test")
                            .option("secret_access_key", Endpoint.SECRET).option("timeout_ms", 3_000)))
                    .dataSource(Components.externalUpdatesOnly()).events(Components.noEvents())
                    .startWait(Duration.ofMillis(1)).logging(Components.noLogging()).build());
            // That the store is initialised is known by then, and what is unknown costs no time.
            if (client.boolVariationDetail("missing", LDContext.create("user"), false).getReason().getErrorKind()
                    != EvaluationReason.ErrorKind.FLAG_NOT_FOUND) throw new IllegalStateException("no store was asked");
            Waiting.on(IntStream.range(0, EVALUATIONS)
                    .<Runnable>mapToObj(number -> () -> client.boolVariation("flag-" + number, LDContext.create("user"), false))
                    .toList());
        }
    }

    @Test
    public void whoeverWaitsForTheStoreLeavesTheCarrierToOthers() throws Exception {
        others("another ran while 10 waited", OnTheStore.class, "{\"do\":\"black_hole\"}", "",
                "-Djdk.virtualThreadScheduler.maxPoolSize=1");
    }

    @Test
    public void evaluationsKeepNoVirtualThreadWaiting() throws Exception {
        String prefix = Endpoint.newPrefix();
        try (FlagStore store = FlagStore.builder(Endpoint.TABLE).prefix(prefix).endpoint(Endpoint.local().url())
                .region("us-east-1").credentials("test", Endpoint.SECRET).open()) {
            store.initJson("{\"flags\":{},\"segments\":{}}");
        }
        String keys = IntStream.range(0, EVALUATIONS).mapToObj(number -> "\"flag-" + number + "\"").collect(joining(","));
        others("another ran while " + EVALUATIONS + " waited", InTheSdk.class,
                "{\"do\":\"black_hole\",\"key\":[" + keys + "]}", prefix);
    }

    private static void others(String expected, Class<?> program, String rule, String prefix, String... options) throws Exception {
        Collection<Path> homes = Child.withVirtualThreads();
        Assume.assumeTrue("virtual threads need Java 21: name a JDK in FLAGSTORE_JDK", !homes.isEmpty());
        List<String> oneCarrier = new ArrayList<>(List.of("-Djdk.virtualThreadScheduler.parallelism=1"));
        oneCarrier.addAll(List.of(options));
        Endpoint faults = Endpoint.faults();
        for (Path home : homes) {
            faults.tell("/script", "{\"rules\":[" + rule + "]}");
            Child child = Child.run(home, program, System.getProperty("java.class.path"), Child.withLibrary(), oneCarrier,
                    faults.url().toString(), prefix);
            faults.tell("/reset", "{}");
            // Newer JVMs have something to say about the SDK first.
            assertEquals(home + ": " + child.output(), expected, child.output().replaceAll("(?s).*\n", ""));
        }
    }
}
