package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.junit.Test;

/** Many threads on one store: everyone gets what they asked for. */
public class ConcurrencyTest {
    private static final int THREADS = 64;
    private static final int ROUNDS = 25;

    private final String prefix = Endpoint.newPrefix();

    /** With time enough for 64 threads on a machine that is busy with something else. */
    private static FlagStoreBuilder store(String prefix) {
        Duration patience = Duration.ofSeconds(30);
        return Endpoint.local().store(prefix).attemptTimeout(patience).timeout(patience).softWait(patience);
    }

    /** Runs a task on each thread, all at once; fails with the first failure. */
    private static void together(IntFunction<Callable<?>> tasks) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        try {
            CyclicBarrier start = new CyclicBarrier(THREADS);
            List<Future<?>> running = new ArrayList<>();
            for (int number = 0; number < THREADS; number++) {
                Callable<?> task = tasks.apply(number);
                running.add(pool.submit(() -> {
                    start.await();
                    return task.call();
                }));
            }
            for (Future<?> one : running) one.get(60, TimeUnit.SECONDS);
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    public void everyThreadGetsItsOwnAnswer() throws Exception {
        for (int ttl : new int[] {0, 50, -1}) {
            String own = prefix + ttl;
            try (FlagStore store = store(own).cacheTtl(Duration.ofMillis(ttl)).open()) {
                together(number -> () -> {
                    String key = "flag-" + number;
                    for (int version = 1; version <= ROUNDS; version++) {
                        Item item = new Item(version, (char) ('a' + number % 26) + "é".repeat(number) + version);
                        assertTrue(store.upsert("features", key, item).written());
                        assertEquals(Optional.of(item), store.get("features", key));
                        UpsertResult refused = store.upsert("features", key, new Item(version - 1, "older"));
                        assertEquals(Optional.of(item), refused.stored());
                        assertEquals(Optional.empty(), store.get("features", "nobody's-" + number));
                    }
                    return null;
                });
                Map<String, Long> versions = new HashMap<>();
                store.getAll("features").forEach((key, item) -> versions.put(key, item.version()));
                for (int number = 0; number < THREADS; number++) assertEquals(ROUNDS, (long) versions.get("flag-" + number));
                assertEquals(THREADS, versions.size());
            }
        }
    }

    @Test
    public void everyFutureGetsItsOwnAnswer() throws Exception {
        try (FlagStore store = store(prefix).open()) {
            together(number -> () -> {
                CompletableFuture<?> last = CompletableFuture.completedFuture(null);
                for (int round = 0; round < ROUNDS; round++) {
                    String key = number + "/" + round;
                    Item item = new Item(round, key.repeat(number + 1));
                    last = last.thenCompose(nothing -> store.upsertAsync("features", key, item))
                            .thenCompose(result -> store.getAsync("features", key))
                            .thenAccept(read -> assertEquals(Optional.of(item), read));
                }
                last.get(60, TimeUnit.SECONDS);
                return null;
            });
            assertEquals(THREADS * ROUNDS, store.getAllAsync("features").get(60, TimeUnit.SECONDS).size());
        }
    }

    @Test
    public void ofRacingWritersTheHighestVersionWins() throws Exception {
        try (FlagStore store = store(prefix).open()) {
            together(number -> () -> {
                for (int step = 0; step < 4; step++) {
                    long version = number * 4 + step;
                    UpsertResult result = store.upsert("features", "contested", new Item(version, "v" + version));
                    assertTrue(result.written() || result.stored().orElseThrow().version() >= version);
                }
                return null;
            });
            long highest = THREADS * 4 - 1;
            assertEquals(Optional.of(new Item(highest, "v" + highest)), store.get("features", "contested"));
        }
    }

    @Test
    public void storesMayBeOpenedAndClosedByManyThreads() throws Exception {
        try (FlagStore store = store(prefix).open()) {
            store.upsert("features", "flag", new Item(1, "payload"));
        }
        together(number -> () -> {
            try (FlagStore store = store(prefix).shared(number % 2 == 0).open()) {
                assertEquals(Optional.of(new Item(1, "payload")), store.get("features", "flag"));
            }
            return null;
        });
    }
}
