package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.After;
import org.junit.Test;

/** Calls that nobody wants any more end, with all that they hold. */
public class CancellationTest {
    private static final Map<String, Item> ITEMS = Map.of("flag", new Item(1, "{}"));

    private final Endpoint faults = Endpoint.faults();
    /** No call of it would end by itself while a test runs. */
    private final FlagStore store = faults.store(Endpoint.newPrefix())
            .timeout(Duration.ofMinutes(5))
            .allTimeout(Duration.ofMinutes(5))
            .attemptTimeout(Duration.ofMinutes(5))
            .writeConcurrency(1)
            .shared(false)
            .onEvent(event -> {})
            .open();

    @After
    public void close() {
        faults.tell("/reset", "{}");
        store.close();
    }

    private void script(String rule) {
        faults.tell("/reset", "{}");
        faults.tell("/script", "{\"rules\":[" + rule + "]}");
    }

    private void awaitRequest(String action) {
        faults.tell("/wait", "{\"count\":1,\"action\":\"" + action + "\"}");
    }

    private static Map<String, Function<FlagStore, CompletableFuture<?>>> futures() {
        Map<String, Function<FlagStore, CompletableFuture<?>>> calls = new LinkedHashMap<>();
        calls.put("get", store -> store.getAsync("features", "flag"));
        calls.put("getAll", store -> store.getAllAsync("features"));
        calls.put("upsert", store -> store.upsertAsync("features", "flag", new Item(1, "{}")));
        calls.put("init", store -> store.initAsync(Map.of("features", ITEMS)));
        calls.put("initJson", store -> store.initJsonAsync("{\"flags\":{\"flag\":{\"version\":1}}}"));
        calls.put("initialized", FlagStore::initializedAsync);
        calls.put("available", FlagStore::availableAsync);
        calls.put("bigSegmentsMetadata", FlagStore::bigSegmentsMetadataAsync);
        calls.put("bigSegmentsMembership", store -> store.bigSegmentsMembershipAsync("hash"));
        return calls;
    }

    @Test
    public void aFutureThatIsCancelledDropsItsRequest() {
        futures().forEach((name, call) -> {
            script("{\"do\":\"black_hole\"}");
            CompletableFuture<?> future = call.apply(store);
            awaitRequest("black_hole");
            assertTrue(name, future.cancel(true));
            faults.tell("/wait", "{\"connections\":0}");
        });
    }

    @Test
    public void aFutureThatTimesOutDropsItsRequest() {
        script("{\"do\":\"black_hole\"}");
        CompletableFuture<?> future = store.getAsync("features", "flag").orTimeout(50, TimeUnit.MILLISECONDS);
        CompletionException late = assertThrows(CompletionException.class, future::join);
        assertTrue(late.toString(), late.getCause() instanceof TimeoutException);
        faults.tell("/wait", "{\"connections\":0}");
    }

    @Test
    public void anInterruptEndsTheCallAndStaysSet() {
        Map<String, Consumer<FlagStore>> calls = new LinkedHashMap<>();
        calls.put("get", store -> store.get("features", "flag"));
        calls.put("getAll", store -> store.getAll("features"));
        calls.put("upsert", store -> store.upsert("features", "flag", new Item(1, "{}")));
        calls.put("init", store -> store.init(Map.of("features", ITEMS)));
        calls.put("initialized", FlagStore::initialized);
        calls.put("bigSegmentsMetadata", FlagStore::bigSegmentsMetadata);
        calls.forEach((name, call) -> {
            script("{\"do\":\"black_hole\"}");
            CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
            Thread thread = new Thread(() -> {
                try {
                    call.accept(store);
                    interrupted.completeExceptionally(new AssertionError(name + " went well"));
                } catch (FlagStoreException error) {
                    boolean stays = Thread.currentThread().isInterrupted();
                    boolean cancelled = error.codeName().equals("STORE_CANCELLED") && !error.retriable();
                    if (cancelled) interrupted.complete(stays);
                    else interrupted.completeExceptionally(error);
                }
            });
            thread.start();
            awaitRequest("black_hole");
            thread.interrupt();
            assertTrue(name, get(interrupted));
            faults.tell("/wait", "{\"connections\":0}");
        });
    }

    private static <T> T get(CompletableFuture<T> future) {
        try {
            return future.get(30, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException error) {
            throw new AssertionError(error);
        }
    }

    @Test
    public void anInitThatIsCancelledSaysWhatItHadDone() throws Exception {
        Map<String, Item> items = new LinkedHashMap<>();
        for (int number = 0; number < 40; number++) items.put("flag-" + number, new Item(1, "{}"));
        script("{\"operation\":\"PutItem\",\"from\":3,\"do\":\"black_hole\"}");
        CompletableFuture<InitReport> reported = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                store.init(Map.of("features", items));
            } catch (FlagStoreException error) {
                reported.complete(error.report().orElseThrow());
            }
        });
        thread.start();
        awaitRequest("black_hole");
        thread.interrupt();
        InitReport report = get(reported);
        assertTrue(report.toString(), report.written() >= 2 && report.written() < 40);
        faults.tell("/reset", "{}");
        assertFalse(store.initialized());
        InitReport rest = store.init(Map.of("features", items));
        assertEquals(40, rest.written() + rest.unchanged());
        assertTrue(store.initialized());
    }

    @Test
    public void whatIsOverIsNotCancelled() {
        faults.tell("/reset", "{}");
        CompletableFuture<?> future = store.getAsync("features", "flag");
        future.join();
        assertFalse(future.cancel(true));
        Thread.currentThread().interrupt();
        // A thread that is interrupted already gets what is there without waiting.
        try (FlagStore cached = faults.store(Endpoint.newPrefix()).cacheTtl(Duration.ofMillis(-1)).open()) {
            assertTrue(Thread.interrupted());
            cached.upsert("features", "flag", new Item(1, "{}"));
            cached.get("features", "flag");
            Thread.currentThread().interrupt();
            assertEquals(1, cached.get("features", "flag").orElseThrow().version());
        } finally {
            assertTrue(Thread.interrupted());
        }
    }
}
