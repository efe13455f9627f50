package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.server.interfaces.DataStoreStatusProvider.Status;
import com.launchdarkly.sdk.server.subsystems.DataStoreUpdateSink;
import io.flagstore.FlagStore;
import io.flagstore.Item;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Tells the SDK of an outage in which older values stand in, and of its end. The SDK's wrapper takes a store for available
 * until a call fails, and here none does.
 */
final class Outage {
    private enum State {
        /** Nothing stood in since the table last answered. */
        NONE,
        /** Something stood in, which a slow answer explains too: the table is being asked. */
        SUSPECTED,
        /** The SDK was told. */
        TOLD
    }

    private static final long MILLISECONDS_BETWEEN_QUESTIONS = 500;
    private static final Executor LATER =
            CompletableFuture.delayedExecutor(MILLISECONDS_BETWEEN_QUESTIONS, TimeUnit.MILLISECONDS);

    private final FlagStore store;
    /** Null where the SDK has no status. */
    private final DataStoreUpdateSink sink;
    private final AtomicReference<State> state = new AtomicReference<>(State.NONE);

    Outage(FlagStore store, DataStoreUpdateSink sink) {
        this.store = store;
        this.sink = sink;
    }

    /** To be called with what was read. */
    void look(Iterable<Item> items) {
        if (sink == null || state.get() == State.TOLD) return;
        for (Item item : items) {
            if (item.stale()) {
                stoodIn();
                return;
            }
        }
    }

    private void stoodIn() {
        boolean first = state.compareAndSet(State.NONE, State.SUSPECTED);
        if (store.statistics().away() != 0) tell();
        if (first) ask();
    }

    private void tell() {
        if (state.compareAndSet(State.SUSPECTED, State.TOLD)) sink.updateStatus(new Status(false, false));
    }

    /** Until the table answers, or the store is closed. Nothing has to be written anew then: the store has done so. */
    private void ask() {
        store.availableAsync().thenAccept(available -> {
            if (store.closed()) return;
            if (!available) {
                tell();
                LATER.execute(this::ask);
            } else if (state.getAndSet(State.NONE) == State.TOLD) {
                sink.updateStatus(new Status(true, false));
            }
        });
    }
}
