package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import io.flagstore.Report.Finding;
import io.flagstore.Report.Level;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.Test;

/** The report of the library, as Java has it. */
public class DoctorTest {
    private static Finding finding(Report report, String check) {
        return report.findings().stream().filter(one -> one.check().equals(check)).findFirst().orElseThrow();
    }

    @Test
    public void aTableThatIsInOrderHasNoProblem() {
        FlagStoreBuilder options = Endpoint.local().store(Endpoint.newPrefix());
        try (FlagStore store = options.open()) {
            String flag = "{\"key\":\"flag\",\"version\":1}";
            store.init(Map.of("features", Map.of("flag", new Item(1, flag)), "segments", Map.of()));
        }
        for (Report report : List.of(options.doctor(), options.doctorAsync().join())) {
            assertEquals(report.toString(), 0, report.problems() + report.warnings());
            assertTrue(report.findings().stream().allMatch(one -> one.level() == Level.OK));
            assertTrue(finding(report, "features").found().startsWith("1 row"));
            assertEquals(Optional.empty(), finding(report, "features").remedy());
            assertFalse(report.toString().contains(Endpoint.SECRET));
        }
    }

    @Test
    public void aTableThatIsMissingIsNamedWithARemedy() {
        Report report = FlagStore.builder("no-such-table").endpoint(Endpoint.local().url())
                .region("us-east-1").credentials("test", Endpoint.SECRET).doctor();
        assertEquals(1, report.problems());
        Finding missing = finding(report, "table");
        assertEquals(Level.PROBLEM, missing.level());
        assertTrue(missing.found(), missing.found().contains("no-such-table"));
        assertTrue(missing.remedy().isPresent());
    }

    @Test
    public void anOptionThatIsWrongIsRefused() {
        FlagStoreBuilder wrong = FlagStore.builder("flags").option("tabel", "flags");
        assertTrue(assertThrows(FlagStoreException.class, wrong::doctor).getMessage().contains("tabel"));
        CompletionException later = assertThrows(CompletionException.class, () -> wrong.doctorAsync().join());
        assertTrue(later.getCause() instanceof FlagStoreException);
        assertThrows(FlagStoreException.class, FlagStore.builder("flags").option("region", List.of())::doctor);
    }

    @Test
    public void nobodyIsHeldUpAndAnInterruptEndsTheWait() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            FlagStoreBuilder options = FlagStore.builder("flags").region("us-east-1").credentials("test", Endpoint.SECRET)
                    .endpoint(URI.create("http://127.0.0.1:" + silent.getLocalPort())).timeout(Duration.ofSeconds(5));
            var thread = Executors.newSingleThreadExecutor();
            CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
            var asked = thread.submit(() -> {
                try {
                    return options.doctor();
                } finally {
                    interrupted.complete(Thread.currentThread().isInterrupted());
                }
            });
            Socket held = silent.accept();
            assertFalse(asked.isDone());
            thread.shutdownNow();
            assertTrue(interrupted.get(30, TimeUnit.SECONDS));
            var failed = assertThrows(ExecutionException.class, asked::get).getCause();
            assertEquals("STORE_CANCELLED", ((FlagStoreException) failed).codeName());
            held.close();
        }
    }
}
