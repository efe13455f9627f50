package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** The jar: what is in it, and that a project that has nothing else reads a flag with it. */
public class PackageIT {
    private static final Path JAR = Path.of(System.getProperty("flagstore.jar"));
    private static final Path POM = Endpoint.REPOSITORY.resolve("bindings/java/pom.xml");

    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void theJarHoldsClassesBridgeAndLibraryAndNothingElse() throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            var folders = jar.stream()
                    .filter(entry -> !entry.isDirectory() && !entry.getName().startsWith("META-INF/"))
                    .map(entry -> entry.getName().replaceAll("[^/]+\\.class$", "*.class"))
                    .collect(Collectors.toCollection(TreeSet::new));
            String natives = "io/flagstore/" + Platform.current().bridges().get(0);
            assertTrue(folders.toString(), folders.remove(natives));
            // Of other platforms, where their archives are.
            folders.removeIf(name -> name.matches("io/flagstore/native/[a-z0-9-]+/(lib)?flagstore_jni\\.(so|dylib|dll)"));
            assertEquals(List.of("io/flagstore/*.class", "io/flagstore/launchdarkly/*.class"), List.copyOf(folders));
            for (String paper : List.of("META-INF/LICENSE", "META-INF/THIRD-PARTY-NOTICES", "META-INF/sbom/flagstore.cdx.json")) {
                assertTrue(paper, jar.getEntry(paper) != null);
            }
            assertEquals("io.flagstore", jar.getManifest().getMainAttributes().getValue("Automatic-Module-Name"));
        }
    }

    /** Runs a command without the variables that name the library; gives what it printed. */
    private static String run(Path project, String... command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(command).directory(project.toFile()).redirectErrorStream(true);
        builder.environment().keySet().removeIf(name -> name.startsWith("FLAGSTORE_"));
        Process process = builder.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(output, 0, process.waitFor());
        return output.strip();
    }

    /** Maven's own repository of this machine stands in for Maven Central, so that nothing is fetched. */
    @Test
    public void anEmptyProjectReadsAFlagWithTheJarAlone() throws Exception {
        String prefix = Endpoint.newPrefix();
        try (FlagStore store = Endpoint.local().store(prefix).open()) {
            store.init(java.util.Map.of("features", java.util.Map.of("my-flag", new Item(7, "{\"key\":\"my-flag\",\"version\":7}"))));
        }
        Path project = folder.newFolder("project").toPath();
        Path repository = folder.newFolder("repository").toPath();
        Path published = folder.newFolder("published").toPath();
        publish(published);
        String pom = Files.readString(POM);
        Files.writeString(project.resolve("pom.xml"), PROJECT
                .replace("@PUBLISHED@", published.toUri().toString())
                .replace("@COMPILER@", version(pom, "maven-compiler-plugin"))
                .replace("@RESOURCES@", version(pom, "maven-resources-plugin"))
                .replace("@SDK@", pom.replaceAll("(?s).*<launchdarkly.version>(.*?)<.*", "$1"))
                .replace("@VERSION@", version(pom, "flagstore")));
        Path settings = Files.writeString(folder.getRoot().toPath().resolve("settings.xml"), SETTINGS
                .replace("@REPOSITORY@", Path.of(System.getProperty("flagstore.repository")).toUri().toString()));
        Path sources = Files.createDirectories(project.resolve("src/main/java"));
        Files.writeString(sources.resolve("Reads.java"), READS);

        run(project, "mvn", "-B", "-q", "-s", settings.toString(), "-Dmaven.repo.local=" + repository, "compile");

        List<String> classPath = new ArrayList<>(List.of(project.resolve("target/classes").toString()));
        for (String jar : List.of("io/flagstore/flagstore", "com/launchdarkly/launchdarkly-java-server-sdk")) {
            try (var files = Files.walk(repository.resolve(jar))) {
                files.filter(file -> file.toString().endsWith(".jar")).forEach(file -> classPath.add(file.toString()));
            }
        }
        assertEquals(classPath.toString(), 3, classPath.size());
        assertFalse(Files.exists(repository.resolve("software/amazon/awssdk")));
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String url = Endpoint.local().url().toString();
        assertEquals(
                "my-flag 7 from the jar",
                run(project, java, "-cp", String.join(":", classPath), "Reads", url, prefix, Endpoint.SECRET));
    }

    /** Lays the jar and its pom out as a repository. */
    private static void publish(Path repository) throws IOException {
        String version = version(Files.readString(POM), "flagstore");
        Path artifact = Files.createDirectories(repository.resolve("io/flagstore/flagstore/" + version));
        Files.copy(JAR, artifact.resolve("flagstore-" + version + ".jar"));
        Files.copy(POM, artifact.resolve("flagstore-" + version + ".pom"));
    }

    private static String version(String pom, String artifact) {
        String version = pom.replaceAll("(?s).*?<artifactId>" + artifact + "</artifactId>\\s*<version>(.*?)<.*", "$1");
        assertTrue(version, version.length() < 20);
        return version;
    }

    private static final String SETTINGS = """
            <settings>
              <mirrors>
                <mirror>
                  <id>this-machine</id>
                  <mirrorOf>central</mirrorOf>
                  <url>@REPOSITORY@</url>
                </mirror>
              </mirrors>
            </settings>
            """;

    private static final String PROJECT = """
            <project>
              <modelVersion>4.0.0</modelVersion>
              <groupId>example</groupId>
              <artifactId>example</artifactId>
              <version>1</version>
              <properties>
                <maven.compiler.release>17</maven.compiler.release>
                <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
              </properties>
              <repositories>
                <repository>
                  <id>published</id>
                  <url>@PUBLISHED@</url>
                </repository>
              </repositories>
              <dependencies>
                <dependency>
                  <groupId>io.flagstore</groupId>
                  <artifactId>flagstore</artifactId>
                  <version>@VERSION@</version>
                </dependency>
                <dependency>
                  <groupId>com.launchdarkly</groupId>
                  <artifactId>launchdarkly-java-server-sdk</artifactId>
                  <version>@SDK@</version>
                </dependency>
              </dependencies>
              <build>
                <plugins>
                  <plugin>
                    <artifactId>maven-compiler-plugin</artifactId>
                    <version>@COMPILER@</version>
                  </plugin>
                  <plugin>
                    <artifactId>maven-resources-plugin</artifactId>
                    <version>@RESOURCES@</version>
                  </plugin>
                </plugins>
              </build>
            </project>
            """;

    /** Reads with the store and through the SDK, with no AWS SDK to compile or run with. */
    private static final String READS = """
            import com.launchdarkly.sdk.server.*;
            import com.launchdarkly.sdk.server.subsystems.*;
            import io.flagstore.FlagStore;
            import io.flagstore.launchdarkly.DynamoDb;
            import java.net.URI;

            public class Reads {
                public static void main(String[] arguments) throws Exception {
                    URI endpoint = URI.create(arguments[0]);
                    try (FlagStore store = FlagStore.builder("flags").prefix(arguments[1]).endpoint(endpoint)
                                    .region("us-east-1").credentials("test", arguments[2]).open();
                            LDClient client = new LDClient("sdk-key", new LDConfig.Builder()
                                    .dataStore(Components.persistentDataStore(DynamoDb.dataStore("flags")
                                            .prefix(arguments[1]).endpoint(endpoint).region("us-east-1")
                                            .credentials("test", arguments[2])))
                                    .dataSource(Components.externalUpdatesOnly()).events(Components.noEvents())
                                    .logging(Components.noLogging()).build())) {
                        if (!client.isFlagKnown("my-flag")) throw new AssertionError("the SDK does not know the flag");
                        System.out.println("my-flag " + store.get("features", "my-flag").orElseThrow().version()
                                + " from the jar");
                    }
                }
            }
            """;
}
