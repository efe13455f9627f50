package io.flagstore;

import java.util.List;
import java.util.Map;

/**
 * What an init did, in rows.
 *
 * @param written rows that were new or different
 * @param unchanged rows that were there already
 * @param deleted rows that the data set does not have
 * @param keptNewer rows that stayed because they were newer than the data set
 * @param tooLarge items that were left out
 */
public record InitReport(long written, long unchanged, long deleted, long keptNewer, List<TooLarge> tooLarge) {
    /**
     * An item that an init left out because it is over DynamoDB's 400 KB. Its older row, if any, stayed.
     *
     * @param kind its kind
     * @param key its key
     * @param bytes its size as DynamoDB counts it
     */
    public record TooLarge(String kind, String key, long bytes) {}

    static InitReport of(String json) {
        Map<?, ?> report = (Map<?, ?>) Json.read(json);
        List<TooLarge> tooLarge = ((List<?>) report.get("too_large"))
                .stream()
                        .map(item -> (Map<?, ?>) item)
                        .map(item -> new TooLarge(
                                (String) item.get("kind"), (String) item.get("key"), rows(item, "bytes")))
                        .toList();
        return new InitReport(
                rows(report, "written"),
                rows(report, "unchanged"),
                rows(report, "deleted"),
                rows(report, "kept_newer"),
                tooLarge);
    }

    private static long rows(Map<?, ?> report, String name) {
        return ((Number) report.get(name)).longValue();
    }
}
