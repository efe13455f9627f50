package io.flagstore;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Another JVM that runs a class of the tests, with what it printed. */
record Child(int status, String output) {
    /** Loads the library and prints where it came from. */
    public static final class Loading {
        public static void main(String[] arguments) {
            System.out.println(Library.load());
        }
    }

    /** Runs a class under a watchdog. Of the variables that the library looks at it has those that are given. */
    static Child run(Class<?> program, Map<String, String> environment, List<String> options, String... arguments)
            throws Exception {
        return run(program, System.getProperty("java.class.path"), environment, options, arguments);
    }

    static Child run(
            Class<?> program, String classPath, Map<String, String> environment, List<String> options, String... arguments)
            throws Exception {
        return run(Path.of(System.getProperty("java.home")), program, classPath, environment, options, arguments);
    }

    /** On another JDK than this one. */
    static Child run(
            Path home,
            Class<?> program,
            String classPath,
            Map<String, String> environment,
            List<String> options,
            String... arguments)
            throws Exception {
        List<String> command = new ArrayList<>();
        command.add(home.resolve("bin/java").toString());
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"));
        // Where the JVM warns of libraries that nobody allowed.
        if (feature(home) >= 22) command.add("--enable-native-access=ALL-UNNAMED");
        command.addAll(options);
        command.addAll(List.of("-cp", classPath, program.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().remove(Library.VARIABLE);
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        Thread watchdog = new Thread(() -> {
            try {
                if (!process.waitFor(60, TimeUnit.SECONDS)) process.destroyForcibly();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        });
        watchdog.setDaemon(true);
        watchdog.start();
        String output = new String(process.getInputStream().readAllBytes());
        return new Child(process.waitFor(), output.strip());
    }

    /** The version of Java that is in a folder; 0 if none is. */
    private static int feature(Path home) throws IOException {
        Path release = home.resolve("release");
        if (!Files.isRegularFile(release)) return 0;
        Matcher version = Pattern.compile("JAVA_VERSION=\"(\\d+)").matcher(Files.readString(release));
        return version.find() ? Integer.parseInt(version.group(1)) : 0;
    }

    /** JDKs that have virtual threads, one of each version: this one, those that FLAGSTORE_JDK names, and what is installed. */
    static Collection<Path> withVirtualThreads() throws IOException {
        List<Path> homes = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"))));
        String named = System.getenv().getOrDefault("FLAGSTORE_JDK", "");
        for (String home : named.split(File.pathSeparator)) if (!home.isEmpty()) homes.add(Path.of(home));
        Path installed = Path.of("/usr/lib/jvm");
        if (Files.isDirectory(installed)) {
            try (Stream<Path> folders = Files.list(installed)) {
                folders.sorted().forEach(homes::add);
            }
        }
        Map<Integer, Path> found = new TreeMap<>();
        for (Path home : homes) {
            int feature = feature(home);
            if (feature >= 21 && Files.isExecutable(home.resolve("bin/java"))) found.putIfAbsent(feature, home);
        }
        return found.values();
    }

    /** The variable with the library under test. */
    static Map<String, String> withLibrary() {
        return Map.of(Library.VARIABLE, Endpoint.LIBRARY);
    }
}
