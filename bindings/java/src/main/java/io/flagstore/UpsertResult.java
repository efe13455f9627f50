package io.flagstore;

import java.util.Optional;

/**
 * What came of an upsert, and the item that stood in its way.
 *
 * @param outcome what came of it
 * @param stored with {@link Outcome#NEWER_EXISTS} the item in the table, else empty
 */
public record UpsertResult(Outcome outcome, Optional<Item> stored) {
    /** What came of an upsert. */
    public enum Outcome {
        /** The table holds the new item. */
        WRITTEN,
        /** The table held this version or a newer one, which stays. */
        NEWER_EXISTS,
        /** The item is over DynamoDB's 400 KB; the older row, if any, stays. */
        TOO_LARGE
    }

    /**
     * Whether the table holds the new item.
     *
     * @return true with {@link Outcome#WRITTEN}
     */
    public boolean written() {
        return outcome == Outcome.WRITTEN;
    }
}
