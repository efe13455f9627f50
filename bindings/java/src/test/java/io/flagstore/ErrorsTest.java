package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.After;
import org.junit.Test;
import org.junit.function.ThrowingRunnable;

/** What goes wrong between the library and DynamoDB: the exception, and what its message tells whom. */
public class ErrorsTest {
    private static final Item ITEM = new Item(1, "{\"key\":\"p4yl0ad\"}");

    private final Endpoint faults = Endpoint.faults();
    private final FlagStore store = faults.store(Endpoint.newPrefix())
            .shared(false)
            .timeout(Duration.ofMillis(400))
            .allTimeout(Duration.ofMillis(400))
            .initTimeout(Duration.ofMillis(400))
            .open();

    @After
    public void close() {
        store.close();
        assertEquals("the endpoint's own failures", "[]", faults.tell("/reset", "{}").get("mishaps").toString());
    }

    private FlagStoreException failure(String name, boolean retriable, ThrowingRunnable call) {
        FlagStoreException error = assertThrows(FlagStoreException.class, call);
        assertEquals(error.getMessage(), "STORE_ERROR_" + name, error.codeName());
        assertEquals(retriable, error.retriable());
        assertFalse(error.toString(), error.toString().contains("p4yl0ad"));
        assertFalse(error.toString(), error.toString().contains(Endpoint.SECRET));
        assertTrue("says not what to do: " + error, error.getMessage().contains(": "));
        return error;
    }

    private void eachRequest(String action) {
        faults.tell("/script", "{\"rules\":[{\"do\":" + action + "}]}");
    }

    @Test
    public void whatDynamoDbRefusesIsToldApart() {
        Map<String, String> configuration = Map.of(
                "AccessDeniedException", "ACCESS_DENIED",
                "UnrecognizedClientException", "INVALID_CREDENTIALS",
                "InvalidSignatureException", "INVALID_CREDENTIALS",
                "ExpiredTokenException", "EXPIRED_CREDENTIALS",
                "ResourceNotFoundException", "TABLE_NOT_FOUND",
                "ValidationException", "REJECTED");
        configuration.forEach((type, name) -> {
            eachRequest("{\"do\":\"refuse\",\"type\":\"" + type + "\"}");
            failure(name, false, () -> store.upsert("features", "flag", ITEM));
            failure(name, false, () -> store.get("features", "flag"));
        });
    }

    @Test
    public void whatMayPassIsRetriable() {
        Map<String, String> passing = Map.of(
                "{\"do\":\"throttle\"}", "THROTTLED",
                "{\"do\":\"fault\"}", "SERVICE",
                "{\"do\":\"reset\"}", "CONNECTION",
                "{\"do\":\"garbage\"}", "UNEXPECTED_RESPONSE",
                "{\"do\":\"black_hole\"}", "TIMEOUT",
                "{\"do\":\"echo\",\"quote\":\"credentials\",\"type\":\"ThrottlingException\"}", "THROTTLED");
        passing.forEach((action, name) -> {
            eachRequest(action);
            failure(name, true, () -> store.get("features", "flag"));
        });
    }

    @Test
    public void everyCallEndsAtItsDeadline() {
        eachRequest("{\"do\":\"black_hole\"}");
        List<ThrowingRunnable> calls = List.of(
                () -> store.get("features", "flag"),
                () -> store.getAll("features"),
                () -> store.upsert("features", "flag", ITEM),
                () -> store.init(Map.of("features", Map.of("flag", ITEM))),
                store::initialized,
                store::bigSegmentsMetadata,
                () -> store.bigSegmentsMembership("hash"));
        for (ThrowingRunnable call : calls) {
            long start = System.nanoTime();
            failure("TIMEOUT", true, call);
            long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
            assertTrue("took " + took + " ms of 400", took >= 300 && took < 5_000);
        }
        assertFalse(store.available());
    }

    @Test
    public void aFutureFailsAtTheDeadlineAndHoldsNoThread() throws Exception {
        eachRequest("{\"do\":\"black_hole\"}");
        CompletableFuture<Optional<Item>> waiting = store.getAsync("features", "flag");
        assertFalse(waiting.isDone());
        ExecutionException failed = assertThrows(ExecutionException.class, () -> waiting.get(30, TimeUnit.SECONDS));
        failure("TIMEOUT", true, () -> { throw failed.getCause(); });
    }

    @Test
    public void closingDoesNotDisturbTheCallsInFlight() throws Exception {
        store.upsert("features", "flag", ITEM);
        faults.tell("/script", "{\"rules\":[{\"operation\":\"GetItem\",\"do\":\"hold\"}]}");
        FlagStore patient = faults.store(Endpoint.newPrefix()).shared(false).open();
        CompletableFuture<Optional<Item>> asynchronous = patient.getAsync("features", "flag");
        CompletableFuture<Optional<Item>> blocking = CompletableFuture.supplyAsync(() -> patient.get("features", "other"));
        faults.tell("/wait", "{\"count\":2,\"action\":\"hold\"}");
        patient.close();
        faults.tell("/release", "{}");
        assertEquals(Optional.empty(), asynchronous.get(30, TimeUnit.SECONDS));
        assertEquals(Optional.empty(), blocking.get(30, TimeUnit.SECONDS));
    }

    @Test
    public void aMissingTableIsNamedWithItsRemedy() {
        try (FlagStore missing = FlagStore.builder("no-such-table")
                .endpoint(Endpoint.local().url()).region("us-east-1").credentials("test", Endpoint.SECRET).open()) {
            FlagStoreException error = failure("TABLE_NOT_FOUND", false, () -> missing.get("features", "flag"));
            assertTrue(error.getMessage(), error.getMessage().contains("\"no-such-table\""));
            assertFalse(missing.available());
        }
    }

    @Test
    public void messagesNameTheItemAndTheTable() {
        eachRequest("{\"do\":\"refuse\",\"type\":\"ExpiredTokenException\"}");
        String message = failure("EXPIRED_CREDENTIALS", false, () -> store.upsert("features", "flag", ITEM)).getMessage();
        assertTrue(message, message.contains("\"flag\" of kind \"features\"") && message.contains("table \"flags\""));
    }
}
