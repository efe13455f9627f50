package io.flagstore;

/**
 * A flag, segment or other item without its key.
 *
 * @param version decides which of two writes wins: 0 or more; LaunchDarkly's Java and .NET SDKs read versions up to
 *     2<sup>31</sup>&minus;1
 * @param item the payload, exactly as it was stored; null for a deleted item
 * @param deleted whether the item was deleted
 * @param stale whether it comes from the cache beyond its time to live because reading it failed
 */
public record Item(long version, String item, boolean deleted, boolean stale) {
    /**
     * An item that is there.
     *
     * @param version decides which of two writes wins: 0 or more
     * @param item the payload
     */
    public Item(long version, String item) {
        this(version, item, false, false);
    }

    /**
     * A tombstone.
     *
     * @param version the version of the deletion
     * @return an item that is deleted
     */
    public static Item deleted(long version) {
        return new Item(version, null, true, false);
    }
}
