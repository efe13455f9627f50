package io.flagstore;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongFunction;
import java.util.function.Supplier;

/**
 * Calls under way. One daemon thread, started with the first of them, takes their results from the library and hands each
 * to whoever waits for it, who reads it: nobody holds up another one, and no thread waits inside of the library, where a
 * virtual one could not leave its carrier.
 */
final class Results {
    private static final Map<Long, Call> CALLS = new ConcurrentHashMap<>();
    private static final AtomicLong NUMBERS = new AtomicLong();

    static {
        daemon("flagstore-results", Results::deliver);
    }

    private Results() {}

    /**
     * A call of the library.
     *
     * @param content what its result holds, one of the numbers in {@link Native}
     * @param start begins it under the number that it is given; null, or the answer to a call that was not accepted
     * @param heavy whether that takes its time, as copying and checking a data set does
     */
    record Question(int content, LongFunction<byte[]> start, boolean heavy) {}

    private record Call(int content, Consumer<Supplier<byte[]>> onEnd) {
        void end(long result) {
            onEnd.accept(() -> Native.answer(result, content));
        }
    }

    /** Asks and waits for the answer. */
    static byte[] awaited(Question question) {
        AtomicReference<Supplier<byte[]>> answer = new AtomicReference<>();
        CountDownLatch ended = new CountDownLatch(1);
        begin(question, end -> {
            answer.set(end);
            ended.countDown();
        });
        boolean interrupted = false;
        while (answer.get() == null) {
            try {
                ended.await();
            } catch (InterruptedException request) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
        return answer.get().get();
    }

    /**
     * Asks. The future is completed on its own executor.
     *
     * @param read turns the answer into what the future gives, or throws
     */
    static <T> CompletableFuture<T> future(Question question, Function<byte[], T> read) {
        CompletableFuture<T> future = new CompletableFuture<>();
        begin(question, answer -> {
            try {
                future.defaultExecutor().execute(() -> complete(future, answer, read));
            } catch (RuntimeException | Error error) {
                // It takes no task, or has no thread for it. The answer is read in any case, or it would not be freed.
                answer.get();
                future.completeExceptionally(error);
            }
        });
        return future;
    }

    private static <T> void complete(
            CompletableFuture<T> future, Supplier<byte[]> answer, Function<byte[], T> read) {
        try {
            future.complete(read.apply(answer.get()));
        } catch (Throwable error) {
            future.completeExceptionally(error);
        }
    }

    private static void begin(Question question, Consumer<Supplier<byte[]>> onEnd) {
        if (!question.heavy()) {
            start(question, onEnd);
            return;
        }
        daemon("flagstore-start", () -> {
            try {
                start(question, onEnd);
            } catch (Throwable error) {
                onEnd.accept(() -> {
                    throw error;
                });
            }
        });
    }

    private static void start(Question question, Consumer<Supplier<byte[]>> onEnd) {
        long number = NUMBERS.incrementAndGet();
        CALLS.put(number, new Call(question.content(), onEnd));
        boolean accepted = false;
        byte[] refused;
        try {
            refused = question.start().apply(number);
            accepted = refused == null;
        } finally {
            // Its end never comes.
            if (!accepted) CALLS.remove(number);
        }
        if (refused != null) onEnd.accept(() -> refused);
    }

    private static void deliver() {
        long[] number = new long[1];
        while (true) {
            long result = Native.nextResult(number);
            CALLS.remove(number[0]).end(result);
        }
    }

    private static void daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }
}
