package io.flagstore;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

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
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"));
        // Where the JVM warns of libraries that nobody allowed.
        if (Runtime.version().feature() >= 22) command.add("--enable-native-access=ALL-UNNAMED");
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

    /** The variable with the library under test. */
    static Map<String, String> withLibrary() {
        return Map.of(Library.VARIABLE, Endpoint.LIBRARY);
    }
}
