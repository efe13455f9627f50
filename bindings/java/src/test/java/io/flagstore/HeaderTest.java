package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.Test;

/**
 * The header for parsers against what this package repeats of it: numbers, and the names of functions. Their types it does
 * not repeat: the C side takes them from flagstore.h, and its own from the header that javac makes of Native.
 */
public class HeaderTest {
    private final String header = Files.readString(Endpoint.REPOSITORY.resolve("include/flagstore_cdef.h"));
    private final String bridge =
            Files.readString(Endpoint.REPOSITORY.resolve("bindings/java/src/main/c/flagstore_jni.c"));

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
            assertEquals(numbers.get("STORE_ERROR_" + field.getName()), field.get(null));
            compared++;
        }
        assertEquals(4, compared);
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
        Set<String> lookedUp = all(Pattern.compile("F\\((store_\\w+)\\)"), bridge);
        Set<String> called = all(Pattern.compile("library\\.(store_\\w+)\\("), bridge);
        assertTrue(declared.size() + " functions", declared.size() > 35);
        assertTrue(lookedUp + " in " + declared, declared.containsAll(lookedUp));
        assertEquals(lookedUp, called);
        Set<String> unused = new TreeSet<>(declared);
        unused.removeAll(lookedUp);
        // The others: a logger is a call into Java from a thread that it does not know; no call is given up, and none needs a
        // queue; the rest is offered blocking alone.
        assertEquals(
                Set.of(
                        "store_set_logger",
                        "store_cancel",
                        "store_completions_open",
                        "store_complete_to",
                        "store_completions_next",
                        "store_completions_notify",
                        "store_completions_close",
                        "store_init_async",
                        "store_init_json_async",
                        "store_initialized_async",
                        "store_result_initialized",
                        "store_result_report",
                        "store_get_cached",
                        "store_available_async",
                        "store_big_segments_metadata_async",
                        "store_big_segments_membership_async",
                        "store_result_metadata",
                        "store_result_membership"),
                unused);
    }
}
