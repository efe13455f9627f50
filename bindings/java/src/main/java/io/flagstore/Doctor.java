package io.flagstore;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** Asks the library's doctor, which blocks for long and cannot be cancelled, on a thread of its own. */
final class Doctor {
    private Doctor() {}

    static CompletableFuture<Report> asked(Map<String, ?> options) {
        byte[] json = Text.utf8("options", Json.options(options));
        Library.load();
        CompletableFuture<Report> future = new CompletableFuture<>();
        Results.daemon("flagstore-doctor", () -> {
            try {
                byte[] answer = Native.doctor(json);
                if (Answer.code(answer) < Answer.OK) throw FlagStoreException.of(answer);
                future.complete(Report.of(Answer.text(answer)));
            } catch (Throwable error) {
                future.completeExceptionally(error);
            }
        });
        return future;
    }

    static Report awaited(CompletableFuture<Report> future) {
        try {
            return future.get();
        } catch (InterruptedException request) {
            Thread.currentThread().interrupt();
            String message = "looking for faults: the thread was interrupted while it waited for the report";
            throw new FlagStoreException(FlagStoreException.CANCELLED, "STORE_CANCELLED", false, message);
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof Error error) throw error;
            throw (RuntimeException) failed.getCause();
        }
    }
}
