package io.flagstore;

import static org.junit.Assert.assertEquals;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import org.junit.Test;

/** The library as a guest: the JVM's checks, output and exit stay its own. */
public class ProcessTest {
    private static FlagStoreBuilder options(String[] arguments) {
        return FlagStore.builder(Endpoint.TABLE)
                .endpoint(java.net.URI.create(arguments[0]))
                .prefix(arguments[1])
                .region("us-east-1")
                .credentials("test", Endpoint.SECRET);
    }

    /** Everything that crosses to C, right and wrong. */
    public static final class EveryCall {
        public static void main(String[] arguments) throws Exception {
            try (FlagStore store = options(arguments).onEvent(event -> {}).open()) {
                for (int round = 0; round < 3; round++) {
                    Map<String, Item> items = new HashMap<>();
                    for (int number = 0; number < 50; number++) items.put("flag-" + number, new Item(round, "x".repeat(500)));
                    store.init(Map.of("features", items, "segments", Map.of()));
                    store.initJson("{\"flags\":{\"a\":{\"version\":1}}}");
                    store.upsert("features", "flag", new Item(round, "x".repeat(1000)));
                    store.upsert("features", "huge", new Item(round, "x".repeat(400_000)));
                    store.delete("features", "gone", round);
                    store.get("features", "flag");
                    store.get("features", "nothing");
                    store.getAll("features");
                    store.getAsync("features", "flag").join();
                    store.getAllAsync("features").join();
                    store.upsertAsync("features", "flag", new Item(round, "y")).join();
                    store.initAsync(Map.of("features", items)).join();
                    store.initJsonAsync("{\"flags\":{\"a\":{\"version\":1}}}").join();
                    store.initializedAsync().join();
                    store.availableAsync().join();
                    store.bigSegmentsMetadataAsync().join();
                    store.bigSegmentsMembershipAsync("hash").join();
                    store.initialized();
                    store.available();
                    store.bigSegmentsMetadata();
                    store.bigSegmentsMembership("hash");
                    store.statistics();
                    store.clearCache();
                    for (Runnable wrong : List.<Runnable>of(
                            () -> store.get("features", ""),
                            () -> store.getAsync("", "").join(),
                            () -> store.initJson("p4yl0ad"),
                            () -> FlagStore.builder("").open())) {
                        try {
                            wrong.run();
                            throw new AssertionError("not refused");
                        } catch (FlagStoreException | java.util.concurrent.CompletionException refused) {
                            FlagStore.libraryVersion();
                        }
                    }
                }
            }
        }
    }

    @Test
    public void theJvmFindsNoFaultWithTheBridgeAndNothingIsPrinted() throws Exception {
        Child child = Child.run(
                EveryCall.class,
                Child.withLibrary(),
                List.of("-Xcheck:jni"),
                Endpoint.local().url().toString(),
                Endpoint.newPrefix());
        assertEquals("", child.output());
        assertEquals(0, child.status());
    }

    /** Ends while 16 threads are inside calls, half of them in ones that never end by themselves. */
    public static final class Exiting {
        public static void main(String[] arguments) throws Exception {
            FlagStore store = options(arguments).open();
            FlagStore waiting = options(new String[] {arguments[2], arguments[1]}).timeout(Duration.ofMinutes(5)).open();
            store.upsert("features", "flag", new Item(1, "payload"));
            CyclicBarrier started = new CyclicBarrier(17);
            for (int number = 0; number < 16; number++) {
                FlagStore used = number % 2 == 0 ? store : waiting;
                Thread thread = new Thread(() -> {
                    try {
                        started.await();
                        while (true) {
                            CompletableFuture<?> future = used.getAsync("features", "flag");
                            used.get("features", "flag");
                            future.join();
                        }
                    } catch (Exception error) {
                        error.printStackTrace();
                    }
                });
                // No daemons: the exit does not wait for them either.
                thread.start();
            }
            started.await();
            for (int round = 0; round < 20; round++) store.get("features", "flag");
            System.exit(7);
        }
    }

    @Test
    public void theExitWaitsForNobody() throws Exception {
        Endpoint faults = Endpoint.faults();
        faults.tell("/script", "{\"rules\":[{\"do\":\"black_hole\"}]}");
        List<String> ends = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            Child child = Child.run(
                    Exiting.class,
                    Child.withLibrary(),
                    List.of(),
                    Endpoint.local().url().toString(),
                    Endpoint.newPrefix(),
                    faults.url().toString());
            ends.add(child.status() + child.output());
        }
        faults.tell("/reset", "{}");
        assertEquals(List.of("7", "7", "7"), ends);
    }
}
