package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.server.subsystems.BigSegmentStore;
import com.launchdarkly.sdk.server.subsystems.BigSegmentStoreTypes;
import com.launchdarkly.sdk.server.subsystems.BigSegmentStoreTypes.Membership;
import com.launchdarkly.sdk.server.subsystems.BigSegmentStoreTypes.StoreMetadata;
import io.flagstore.FlagStore;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** Reads the big segments that the Relay Proxy writes. */
final class DynamoDbBigSegmentStore implements BigSegmentStore {
    private final FlagStore store;
    private final Failures failures;

    DynamoDbBigSegmentStore(FlagStore store, Log log) {
        this.store = store;
        this.failures = new Failures(log);
    }

    @Override
    public Membership getMembership(String userHash) {
        return failures.watched(() -> store.bigSegmentsMembership(userHash))
                .map(segments -> BigSegmentStoreTypes.createMembershipFromSegmentRefs(
                        named(segments, true), named(segments, false)))
                .orElse(null);
    }

    private static List<String> named(Map<String, Boolean> segments, boolean included) {
        return segments.entrySet().stream()
                .filter(segment -> segment.getValue() == included)
                .map(Map.Entry::getKey)
                .toList();
    }

    @Override
    public StoreMetadata getMetadata() {
        OptionalLong milliseconds = failures.watched(store::bigSegmentsMetadata);
        return milliseconds.isPresent() ? new StoreMetadata(milliseconds.getAsLong()) : null;
    }

    @Override
    public void close() {
        store.close();
    }
}
