package io.flagstore;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Function;
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

    /** Begins a call under its number: null, with the number to cancel it by in call[0]; or the answer of one not accepted. */
    interface Start {
        byte[] begin(long number, long[] call);
    }

    /**
     * What is asked of the library.
     *
     * @param content what the result holds, one of the numbers in {@link Native}
     * @param start begins the call
     * @param heavy whether that takes its time, as copying and checking a data set does
     */
    record Question(int content, Start start, boolean heavy) {}

    /** A call, from before it begins until its end was told. */
    private static final class Call {
        private final int content;
        private final Consumer<Supplier<byte[]>> onEnd;
        private long begun;
        private boolean unwanted;

        Call(int content, Consumer<Supplier<byte[]>> onEnd) {
            this.content = content;
            this.onEnd = onEnd;
        }

        synchronized void begun(long call) {
            begun = call;
            if (unwanted) Native.cancel(call);
        }

        /** It ends all the same, as soon as that can be. */
        synchronized void cancel() {
            unwanted = true;
            if (begun != 0) Native.cancel(begun);
        }

        void end(long result) {
            end(() -> Native.answer(result, content));
        }

        void end(Supplier<byte[]> answer) {
            onEnd.accept(answer);
        }
    }

    /** The end of a call for which one thread waits. */
    private static final class End {
        private final CountDownLatch told = new CountDownLatch(1);
        private volatile Supplier<byte[]> answer;

        synchronized void tell(Supplier<byte[]> end) {
            answer = end;
            told.countDown();
            notifyAll();
        }

        void await(boolean underMonitor) throws InterruptedException {
            if (!underMonitor) {
                told.await();
                return;
            }
            synchronized (this) {
                while (answer == null) wait();
            }
        }
    }

    /**
     * Asks and waits for the answer. An interrupt cancels the call, and stays set.
     *
     * @param underMonitor whether who asks may hold a monitor. Until Java 24 a virtual thread that does cannot leave its
     *     carrier; for one that waits as monitors make it wait, the scheduler takes another carrier meanwhile, up to its
     *     limit, and not for one that waits in any other way
     */
    static byte[] awaited(Question question, boolean underMonitor) {
        End end = new End();
        Call call = new Call(question.content(), end::tell);
        begin(question, call);
        boolean interrupted = false;
        while (end.answer == null) {
            try {
                end.await(underMonitor);
            } catch (InterruptedException request) {
                interrupted = true;
                call.cancel();
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
        return end.answer.get();
    }

    /**
     * Asks. The future is completed on its own executor. If something else completes it before, such as a cancellation or a
     * timeout of its own, the call is cancelled.
     *
     * @param read turns the answer into what the future gives, or throws
     */
    static <T> CompletableFuture<T> future(Question question, Function<byte[], T> read) {
        CompletableFuture<T> future = new CompletableFuture<>();
        AtomicBoolean ended = new AtomicBoolean();
        Call call = new Call(question.content(), answer -> {
            ended.set(true);
            try {
                future.defaultExecutor().execute(() -> complete(future, answer, read));
            } catch (RuntimeException | Error error) {
                // It takes no task, or has no thread for it. The answer is read in any case, or it would not be freed.
                answer.get();
                future.completeExceptionally(error);
            }
        });
        begin(question, call);
        future.whenComplete((value, error) -> {
            if (!ended.get()) call.cancel();
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

    private static void begin(Question question, Call call) {
        if (!question.heavy()) {
            start(question, call);
            return;
        }
        daemon("flagstore-start", () -> {
            try {
                start(question, call);
            } catch (Throwable error) {
                call.end(() -> {
                    throw error;
                });
            }
        });
    }

    private static void start(Question question, Call call) {
        long number = NUMBERS.incrementAndGet();
        long[] begun = new long[1];
        CALLS.put(number, call);
        boolean accepted = false;
        byte[] refused;
        try {
            refused = question.start().begin(number, begun);
            accepted = refused == null;
        } finally {
            // Its end never comes.
            if (!accepted) CALLS.remove(number);
        }
        if (accepted) call.begun(begun[0]);
        else call.end(() -> refused);
    }

    private static void deliver() {
        long[] number = new long[1];
        while (true) {
            long result = Native.nextResult(number);
            if (result == 0) return;
            CALLS.remove(number[0]).end(result);
        }
    }

    static void daemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }
}
