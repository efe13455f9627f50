package io.flagstore;

import static org.junit.Assert.assertEquals;

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
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.Assume;
import org.junit.Test;

/** A virtual thread that waits for DynamoDB leaves its carrier to others. */
public class VirtualThreadsTest {
    /** Every call that waits, from a virtual thread each, on one carrier, and a virtual thread that has nothing to do with them. */
    public static final class Waiting {
        private static Thread virtual(Runnable task) throws ReflectiveOperationException {
            // Since Java 21; this is compiled for 17.
            Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
            Method start = Class.forName("java.lang.Thread$Builder").getMethod("start", Runnable.class);
            return (Thread) start.invoke(builder, task);
        }

        public static void main(String[] arguments) throws Exception {
            URI silent = URI.create(arguments[0]);
            FlagStore store = FlagStore.builder(Endpoint.TABLE).endpoint(silent).region("us-east-1")
                    .credentials("test", Endpoint.SECRET).option("timeout_ms", 3_000).option("all_timeout_ms", 3_000)
                    .option("init_timeout_ms", 3_000).onEvent(event -> {}).open();
            LDClient client = new LDClient("sdk-key", new LDConfig.Builder()
                    .dataStore(Components.persistentDataStore(DynamoDb.dataStore(Endpoint.TABLE).endpoint(silent)
                            .option("region", "us-east-1").option("access_key_id", "test")
                            .option("secret_access_key", Endpoint.SECRET).option("timeout_ms", 3_000)))
                    .dataSource(Components.externalUpdatesOnly()).events(Components.noEvents())
                    .startWait(Duration.ofMillis(1)).logging(Components.noLogging()).build());
            List<Runnable> calls = List.of(
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
                            .credentials("test", Endpoint.SECRET).option("timeout_ms", 3_000).doctor(),
                    () -> client.boolVariation("flag", LDContext.create("user"), false));
            CountDownLatch begun = new CountDownLatch(calls.size());
            CountDownLatch ended = new CountDownLatch(calls.size());
            List<Thread> threads = new ArrayList<>();
            for (Runnable call : calls) {
                threads.add(virtual(() -> {
                    begun.countDown();
                    try {
                        call.run();
                    } catch (FlagStoreException silence) {
                        // As it should.
                    }
                    ended.countDown();
                }));
            }
            begun.await();
            CountDownLatch ran = new CountDownLatch(1);
            virtual(ran::countDown);
            ran.await();
            System.out.println("another ran while " + ended.getCount() + " waited");
            for (Thread thread : threads) thread.join();
            System.exit(0);
        }
    }

    @Test
    public void whoeverWaitsLeavesTheCarrierToOthers() throws Exception {
        Optional<Path> home = Child.withVirtualThreads();
        Assume.assumeTrue("virtual threads need Java 21: name a JDK in FLAGSTORE_JDK", home.isPresent());
        Endpoint faults = Endpoint.faults();
        faults.tell("/script", "{\"rules\":[{\"do\":\"black_hole\"}]}");
        Child child = Child.run(
                home.orElseThrow(),
                Waiting.class,
                System.getProperty("java.class.path"),
                Child.withLibrary(),
                List.of("-Djdk.virtualThreadScheduler.parallelism=1", "-Djdk.virtualThreadScheduler.maxPoolSize=1"),
                faults.url().toString());
        faults.tell("/reset", "{}");
        // Newer JVMs have something to say about the SDK first.
        assertEquals(child.output(), "another ran while 11 waited", child.output().replaceAll("(?s).*\n", ""));
    }
}
