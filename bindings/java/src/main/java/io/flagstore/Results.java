package io.flagstore;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.LongFunction;

/**
 * Asynchronous calls under way. One daemon thread, started with the first of them, takes their results from the library
 * and hands them to the futures' own executor: code that hangs on a future holds up nobody else.
 */
final class Results {
    private static final Map<Long, Call<?>> CALLS = new ConcurrentHashMap<>();
    private static final AtomicLong NUMBERS = new AtomicLong();

    static {
        Thread thread = new Thread(Results::deliver, "flagstore-results");
        thread.setDaemon(true);
        thread.start();
    }

    private Results() {}

    private record Call<T>(CompletableFuture<T> future, Function<byte[], T> read) {
        void end(byte[] answer) {
            future.completeAsync(() -> read.apply(answer));
        }
    }

    /**
     * Starts a call.
     *
     * @param start is given the call's number, and gives the answer to its start
     * @param read turns the answer to the call into its result, or throws
     */
    static <T> CompletableFuture<T> of(LongFunction<byte[]> start, Function<byte[], T> read) {
        long number = NUMBERS.incrementAndGet();
        Call<T> call = new Call<>(new CompletableFuture<>(), read);
        CALLS.put(number, call);
        try {
            byte[] started = start.apply(number);
            if (Answer.code(started) < Answer.OK && CALLS.remove(number) != null) call.end(started);
            return call.future;
        } catch (Throwable error) {
            CALLS.remove(number);
            throw error;
        }
    }

    private static void deliver() {
        long[] number = new long[1];
        while (true) {
            Call<?> call = null;
            try {
                byte[] answer = Native.nextResult(number);
                call = CALLS.remove(number[0]);
                call.end(answer);
            } catch (Throwable error) {
                // No memory for the answer, or no thread for the task that completes the future.
                if (call == null) call = CALLS.remove(number[0]);
                if (call != null) call.future.completeExceptionally(error);
            }
        }
    }
}
