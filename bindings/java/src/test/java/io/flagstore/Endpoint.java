package io.flagstore;

import com.launchdarkly.sdk.LDValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** A DynamoDB endpoint with the tables of the tests. It is a process that ends with this one, whose input it reads. */
public final class Endpoint {
    public static final String TABLE = "flags";
    /** Of the SDK's suites, which clear the whole table. */
    public static final String SUITE_TABLE = "sdk-suites";

    public static final String SECRET = "secret-that-must-not-show";
    public static final Path REPOSITORY = repository();

    /** The library under test: the file that FLAGSTORE_LIBRARY names, or the one of the release build. */
    public static final String LIBRARY = program("FLAGSTORE_LIBRARY", "libflagstore.so");

    static {
        System.setProperty("flagstore.library", LIBRARY);
    }

    private static final AtomicInteger PREFIXES = new AtomicInteger();
    private static Endpoint local;
    private static Endpoint dynalite;
    private static Endpoint faults;

    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private final LDValue ready;

    private Endpoint(LDValue ready) {
        this.ready = ready;
    }

    /** {@code flagstore-local}: the file that FLAGSTORE_LOCAL names, or the one of the release build. */
    public static synchronized Endpoint local() {
        if (local == null) {
            Path program = Path.of(program("FLAGSTORE_LOCAL", "flagstore-local"));
            local = started(program, "--table", TABLE, "--table", SUITE_TABLE);
        }
        return local;
    }

    private static String program(String variable, String name) {
        String named = System.getenv(variable);
        boolean given = named != null && !named.isEmpty();
        return (given ? Path.of(named) : REPOSITORY.resolve("target/release").resolve(name)).toAbsolutePath().toString();
    }

    /** npm's dynalite. */
    public static synchronized Endpoint dynalite() {
        if (dynalite == null) dynalite = started(REPOSITORY.resolve("tests/dynalite/start"), "--table", TABLE);
        return dynalite;
    }

    /** {@code tests/faults/endpoint} in front of the local one. */
    public static synchronized Endpoint faults() {
        if (faults == null) {
            faults = started(REPOSITORY.resolve("tests/faults/endpoint"), "--upstream", local().url().toString());
        }
        return faults;
    }

    private static Endpoint started(Path program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(program.toString(), "--exit-with-stdin"));
        command.addAll(List.of(arguments));
        try {
            Path target = Files.createDirectories(REPOSITORY.resolve("bindings/java/target"));
            Process process = new ProcessBuilder(command)
                    .redirectError(target.resolve(program.getFileName() + ".log").toFile())
                    .start();
            String line = process.inputReader().readLine();
            if (line == null) throw new IllegalStateException(program + " ended before it was ready");
            return new Endpoint(LDValue.parse(line));
        } catch (IOException error) {
            throw new UncheckedIOException(program + " cannot be started: build it first", error);
        }
    }

    private static Path repository() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.exists(folder.resolve("Cargo.toml"))) folder = folder.getParent();
        return folder;
    }

    /** A prefix that no other test has. */
    public static String newPrefix() {
        return "java-" + ProcessHandle.current().pid() + "-" + PREFIXES.incrementAndGet();
    }

    public URI url() {
        return URI.create(ready.get("url").stringValue());
    }

    public FlagStoreBuilder store(String prefix) {
        return FlagStore.builder(TABLE)
                .prefix(prefix)
                .endpoint(url())
                .region("us-east-1")
                .credentials("test", SECRET);
    }

    /** A control request of {@code tests/faults/endpoint}. */
    public LDValue tell(String path, String body) {
        return post(URI.create(ready.get("control").stringValue() + path), body);
    }

    /** A request of DynamoDB, signed in form only. */
    public LDValue ask(String operation, String body) {
        return post(
                url(),
                body,
                "Content-Type", "application/x-amz-json-1.0",
                "X-Amz-Target", "DynamoDB_20120810." + operation,
                "X-Amz-Date", "20260101T000000Z",
                "Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request,"
                        + " SignedHeaders=host, Signature=0");
    }

    private static LDValue post(URI to, String body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(to)
                .timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofString(body));
        if (headers.length > 0) request.headers(headers);
        try {
            HttpResponse<String> response = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 200) throw new IllegalStateException(response.body());
            return LDValue.parse(response.body());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }
}
