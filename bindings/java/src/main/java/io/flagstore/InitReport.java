package io.flagstore;

import java.util.LinkedHashMap;
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
 * @param deflated items over 400 KB that were written deflated, see {@link FlagStoreBuilder#compressLarge}
 * @param replaced rows written over what a version alone would have kept, by reason; the names are those of flagstore.h
 * @param kept rows that the data set would not have, by reason
 * @param leftOut items that were not taken, by reason
 */
public record InitReport(
        long written,
        long unchanged,
        long deleted,
        long keptNewer,
        List<TooLarge> tooLarge,
        Reason deflated,
        Map<String, Reason> replaced,
        Map<String, Reason> kept,
        Map<String, Reason> leftOut) {
    /**
     * An item that an init left out because it is over DynamoDB's 400 KB. Its older row, if any, stayed.
     *
     * @param kind its kind
     * @param key its key
     * @param bytes its size as DynamoDB counts it
     */
    public record TooLarge(String kind, String key, long bytes) {}

    /**
     * How many rows something happened to for one reason.
     *
     * @param count their number
     * @param first the first ten of them
     */
    public record Reason(long count, List<Row> first) {}

    /**
     * The place of an item.
     *
     * @param kind its kind
     * @param key its key
     */
    public record Row(String kind, String key) {}

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
                tooLarge,
                report.get("deflated") instanceof Map<?, ?> rows ? reason(rows) : new Reason(0, List.of()),
                reasons(report, "replaced"),
                reasons(report, "kept"),
                reasons(report, "left_out"));
    }

    private static Map<String, Reason> reasons(Map<?, ?> report, String name) {
        Map<String, Reason> reasons = new LinkedHashMap<>();
        ((Map<?, ?>) report.get(name)).forEach((reason, rows) -> reasons.put((String) reason, reason((Map<?, ?>) rows)));
        return reasons;
    }

    private static Reason reason(Map<?, ?> rows) {
        List<Row> first = ((List<?>) rows.get("keys"))
                .stream()
                        .map(row -> (Map<?, ?>) row)
                        .map(row -> new Row((String) row.get("kind"), (String) row.get("key")))
                        .toList();
        return new Reason(rows(rows, "count"), first);
    }

    private static long rows(Map<?, ?> report, String name) {
        return ((Number) report.get(name)).longValue();
    }
}
