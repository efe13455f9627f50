package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.Test;

/**
 * The header for parsers against what this package repeats of it: numbers, and the names of functions. Their types it does
 * not repeat: the C side takes them from flagstore.h, and its own from the header that javac makes of Native.
 */
public class HeaderTest {
    private final String header = Files.readString(Endpoint.REPOSITORY.resolve("include/flagstore_cdef.h"));
    private final Path sources = Endpoint.REPOSITORY.resolve("bindings/java/src/main/c");
    private final String bridge = Files.readString(sources.resolve("flagstore_jni.c"));
    private final String library = Files.readString(sources.resolve("library.h"));

    public HeaderTest() throws IOException {}

    private Map<String, Integer> numbers() {
        Map<String, Integer> numbers = new HashMap<>();
        Matcher constant = Pattern.compile("(STORE_\\w+) = (-?\\d+)").matcher(header);
        while (constant.find()) numbers.put(constant.group(1), Integer.valueOf(constant.group(2)));
        return numbers;
    }

    private static Set<String> all(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(found -> found.group(1)).collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    public void numbersAreThoseOfTheHeader() throws Exception {
        Map<String, Integer> numbers = numbers();
        assertTrue(numbers.toString(), numbers.size() > 35);
        assertEquals(numbers.get("STORE_ABI_VERSION"), Integer.valueOf(Library.ABI));
        for (String name : new String[] {"OK", "NOT_FOUND", "NEWER_EXISTS", "TOO_LARGE"}) {
            assertEquals(numbers.get("STORE_" + name), Answer.class.getDeclaredField(name).get(null));
        }
        int compared = 0;
        for (Field field : FlagStoreException.class.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers()) || field.getType() != int.class) continue;
            String name = field.getName().equals("CANCELLED") ? "STORE_CANCELLED" : "STORE_ERROR_" + field.getName();
            assertEquals(numbers.get(name), field.get(null));
            compared++;
        }
        assertEquals(5, compared);
    }

    @Test
    public void everyNumberHasItsName() {
        Library.load();
        numbers().forEach((name, number) -> {
            if (name.startsWith("STORE_LEVEL_") || name.equals("STORE_ABI_VERSION")) return;
            assertEquals(name, Answer.text(Native.codeName(number)));
        });
        assertEquals("STORE_UNKNOWN", Answer.text(Native.codeName(-9999)));
    }

    @Test
    public void levelsAreThoseOfTheHeader() {
        Map<String, Integer> numbers = numbers();
        Map<String, System.Logger.Level> levels = Map.of(
                "ERROR", System.Logger.Level.ERROR, "WARN", System.Logger.Level.WARNING,
                "INFO", System.Logger.Level.INFO, "DEBUG", System.Logger.Level.DEBUG);
        levels.forEach((name, level) -> {
            byte[] answer = new byte[16];
            java.nio.ByteBuffer.wrap(answer).order(java.nio.ByteOrder.nativeOrder()).putInt(4, numbers.get("STORE_LEVEL_" + name));
            assertEquals(level, Event.of(answer).level());
        });
    }

    @Test
    public void everyFunctionThatIsCalledIsLookedUpAndDeclared() {
        Set<String> declared = all(Pattern.compile("(store_\\w+)\\("), header);
        Set<String> lookedUp = all(Pattern.compile("F\\((store_\\w+)\\)"), library);
        Set<String> called = all(Pattern.compile("library\\.(store_\\w+)"), bridge);
        assertTrue(declared.size() + " functions", declared.size() > 35);
        assertTrue(lookedUp + " in " + declared, declared.containsAll(lookedUp));
        called.add("store_abi_version");
        assertEquals(lookedUp, called);
        Set<String> unused = new TreeSet<>(declared);
        unused.removeAll(lookedUp);
        // The others: a logger is a call into Java from a thread that it does not know, no thread waits inside the library, and
        // one thread waits for what is finished as long as the process lives.
        assertEquals(
                Set.of(
                        "store_set_logger",
                        "store_completions_notify",
                        "store_completions_close",
                        "store_get",
                        "store_get_all",
                        "store_upsert",
                        "store_init",
                        "store_init_json",
                        "store_initialized",
                        "store_available",
                        "store_big_segments_metadata",
                        "store_big_segments_membership"),
                unused);
    }

    /** Rows of the table of options in a README, by each name that a row has; its second column, if it has one. */
    private static Map<String, String> optionRows(String readme, int columnOfNames) {
        Map<String, String> rows = new HashMap<>();
        for (String line : readme.split("\n")) {
            String[] cells = line.split(" *\\| *", -1);
            if (!line.startsWith("| ") || cells.length <= columnOfNames) continue;
            for (String name : all(Pattern.compile("`(\\w+)`"), cells[columnOfNames])) rows.put(name, line);
        }
        return rows;
    }

    @Test
    public void optionsAreThoseOfTheProjectAndHaveItsDefaults() throws IOException {
        String project = Files.readString(Endpoint.REPOSITORY.resolve("README.md")).replaceAll("(?s).*\n## Options\n(.*?)\n## .*", "$1");
        Map<String, String> options = optionRows(project, 1);
        assertTrue(options.keySet().toString(), options.size() >= 30);
        Path folder = Endpoint.REPOSITORY.resolve("bindings/java");
        Map<String, String> here = optionRows(Files.readString(folder.resolve("README.md")), 2);
        String builder = Files.readString(folder.resolve("src/main/java/io/flagstore/FlagStoreBuilder.java"));
        Set<String> built = all(Pattern.compile("option\\(\"(\\w+)\","), builder);
        built.add("table");
        assertEquals(options.keySet(), built);
        int compared = 0;
        for (Map.Entry<String, String> option : options.entrySet()) {
            String row = here.get(option.getKey());
            assertTrue("README.md has no row for " + option.getKey(), row != null);
            Matcher number = Pattern.compile("^\\| [^|]* \\| ([^|]*) \\| ([\\d,]+)").matcher(option.getValue());
            if (!number.find()) continue;
            String expected = inWords(number.group(1), Long.parseLong(number.group(2).replace(",", "")));
            String said = javadoc(builder, option.getKey());
            assertTrue(row, row.contains(expected));
            assertTrue(option.getKey() + ": " + said, said.contains(expected));
            compared++;
        }
        assertTrue(compared + " defaults", compared >= 12);
    }

    /** As the documentation says it: times as people do. */
    private static String inWords(String unit, long number) {
        if (unit.equals("bytes")) return (number >> 20) + " MiB";
        if (!unit.equals("ms")) return Long.toString(number);
        if (number == 0) return "zero";
        if (number % 60_000 == 0) return number / 60_000 + " min";
        return number % 1_000 == 0 ? number / 1_000 + " s" : number + " ms";
    }

    /** What stands before the method that sets the option. */
    private static String javadoc(String source, String option) {
        Matcher method = Pattern.compile("/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/[^{]*\\{\\s*return option\\(\"" + option + "\",").matcher(source);
        assertTrue(option, method.find());
        return method.group(1).replaceAll("\n *\\*", "");
    }

    @Test
    public void statisticsAreThoseOfTheHeader() throws IOException {
        Matcher comment = Pattern.compile("/\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\s+int32_t store_statistics\\(")
                .matcher(Files.readString(Endpoint.REPOSITORY.resolve("include/flagstore.h")));
        assertTrue(comment.find());
        Set<String> here = Stream.of(Statistics.class.getRecordComponents())
                .map(component -> component.getName().replaceAll("[A-Z]", "_$0").toLowerCase(Locale.ROOT))
                .collect(Collectors.toCollection(TreeSet::new));
        assertEquals(all(Pattern.compile("`((?!store_)[a-z_]+)`"), comment.group(1)), here);
    }
}
