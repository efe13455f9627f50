package io.flagstore;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What {@link FlagStoreBuilder#doctor} found between this process and its flags.
 *
 * @param problems how many findings have the level {@link Level#PROBLEM}: 0 where flags arrive
 * @param warnings how many have the level {@link Level#WARNING}
 * @param findings what was looked at
 */
public record Report(int problems, int warnings, List<Finding> findings) {
    /** How bad a finding is. */
    public enum Level {
        /** There is nothing to do. */
        OK,
        /** It is worth knowing. */
        NOTE,
        /** It may become a problem. */
        WARNING,
        /** It keeps flags from arriving, or from being written. */
        PROBLEM
    }

    /**
     * One thing that was looked at.
     *
     * @param check what that was, such as {@code credentials}; the page docs/doctor.md of the project has them all
     * @param level how bad it is
     * @param found what was seen, as a sentence that holds no secret
     * @param remedy what to do about it; empty where there is nothing to do
     */
    public record Finding(String check, Level level, String found, Optional<String> remedy) {}

    static Report of(String json) {
        Map<?, ?> report = (Map<?, ?>) Json.read(json);
        List<Finding> findings = ((List<?>) report.get("findings"))
                .stream().map(finding -> finding((Map<?, ?>) finding)).toList();
        return new Report(number(report, "problems"), number(report, "warnings"), findings);
    }

    private static Finding finding(Map<?, ?> finding) {
        Level level = Level.valueOf(((String) finding.get("level")).toUpperCase(Locale.ROOT));
        Optional<String> remedy = Optional.ofNullable((String) finding.get("remedy"));
        return new Finding((String) finding.get("check"), level, (String) finding.get("found"), remedy);
    }

    private static int number(Map<?, ?> report, String name) {
        return ((Number) report.get(name)).intValue();
    }
}
