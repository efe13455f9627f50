package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.Assume;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Where libflagstore is looked for, and what is said where it cannot be used. */
public class LibraryTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private static final String LIBRARY = Endpoint.LIBRARY;
    private static final Path SOURCES = Endpoint.REPOSITORY.resolve("bindings/java/src/main/c");
    private static final String BRIDGE = Platform.current().bridges().get(0);
    private static final Path CLASSES = Endpoint.REPOSITORY.resolve("bindings/java/target/classes");

    private static Child load(Map<String, String> environment, String... options) throws Exception {
        return Child.run(Child.Loading.class, environment, List.of(options));
    }

    private static void refused(Child child, String... texts) {
        assertEquals(child.output(), 1, child.status());
        assertTrue(child.output(), child.output().contains("io.flagstore.LibraryException: "));
        for (String text : texts) assertTrue(child.output(), child.output().contains(text));
    }

    @Test
    public void theVariableNamesTheFile() throws Exception {
        assertEquals(LIBRARY, load(Map.of(Library.VARIABLE, LIBRARY)).output());
        String relative = Path.of("").toAbsolutePath().relativize(Path.of(LIBRARY)).toString();
        Child child = load(Map.of(Library.VARIABLE, relative));
        assertEquals(Path.of(relative).toAbsolutePath().toString(), child.output());
    }

    @Test
    public void thePropertyGoesBeforeTheVariable() throws Exception {
        Path elsewhere = Files.createSymbolicLink(folder.getRoot().toPath().resolve("other.so"), Path.of(LIBRARY));
        Child child = load(Map.of(Library.VARIABLE, "/nowhere.so"), "-D" + Library.PROPERTY + "=" + elsewhere);
        assertEquals(elsewhere.toString(), child.output());
    }

    @Test
    public void aWrongNameIsFatal() throws Exception {
        refused(load(Map.of(Library.VARIABLE, "/nowhere.so")), "FLAGSTORE_LIBRARY is \"/nowhere.so\"", "no such file");
        refused(
                load(Map.of(Library.VARIABLE, LIBRARY), "-Dflagstore.library=/nowhere.so"),
                "flagstore.library is \"/nowhere.so\"",
                "no such file");
    }

    @Test
    public void aFileThatIsNoLibraryIsFatal() throws Exception {
        Path wrong = folder.newFile("libflagstore.so").toPath();
        Files.writeString(wrong, "not a library");
        refused(load(Map.of(Library.VARIABLE, wrong.toString())), wrong + " cannot be used as libflagstore: ");
    }

    @Test
    public void anotherLibraryIsFatal() throws Exception {
        String other;
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            other = maps.filter(line -> line.contains("/libc.so")).findFirst().orElseThrow().replaceAll(".* ", "");
        }
        refused(load(Map.of(Library.VARIABLE, other)), other + " cannot be used as libflagstore: ", "store_abi_version");
    }

    @Test
    public void anotherAbiIsFatal() throws Exception {
        Path source = folder.newFile("other.c").toPath();
        Path other = folder.getRoot().toPath().resolve("other.so");
        Files.writeString(source, "unsigned store_abi_version(void) { return 77; }");
        compiled("cc", "-shared", "-fPIC", "-o", other.toString(), source.toString());
        refused(load(Map.of(Library.VARIABLE, other.toString())), other + " cannot be used as libflagstore: it has ABI 77, this jar needs ABI 1: install versions that match");
    }

    @Test
    public void aMissingFunctionIsNamed() throws Exception {
        Path source = folder.newFile("old.c").toPath();
        Path old = folder.getRoot().toPath().resolve("old.so");
        Files.writeString(source, "unsigned store_abi_version(void) { return 1; }");
        compiled("cc", "-shared", "-fPIC", "-o", old.toString(), source.toString());
        refused(load(Map.of(Library.VARIABLE, old.toString())), old + " cannot be used as libflagstore: ", "store_version");
    }

    @Test
    public void whatIsLinkedInIsUsedFromAPrivateFolderThatIsGoneAfterwards() throws Exception {
        Path temporary = folder.newFolder("temporary").toPath();
        Child child = load(Map.of(), "-Djava.io.tmpdir=" + temporary);
        Assume.assumeFalse("the bridge was compiled without an archive of the library", child.output().contains("built without it"));
        assertEquals("jar:" + BRIDGE, child.output());
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(List.of(), left.toList());
        }
    }

    @Test
    public void aBridgeWithoutTheLibraryTakesTheSystems() throws Exception {
        Path thin = folder.getRoot().toPath().resolve("libflagstore_jni.so");
        String home = System.getProperty("java.home");
        compiled(SOURCES.resolve("build").toString(), "host", thin.toString(), CLASSES.resolveSibling("jni").toString(), home);
        String bridge = "-D" + Library.BRIDGE + "=" + thin;
        Child nowhere = load(Map.of(), bridge);
        if (nowhere.status() == 0) assertEquals("libflagstore.so.1", nowhere.output());
        else refused(nowhere, "libflagstore was not found: ", "flagstore.library", "FLAGSTORE_LIBRARY", "libflagstore.so.1");
        Files.createSymbolicLink(folder.getRoot().toPath().resolve("libflagstore.so.1"), Path.of(LIBRARY));
        Map<String, String> path = Map.of("LD_LIBRARY_PATH", folder.getRoot().toString());
        assertEquals("libflagstore.so.1", load(path, bridge).output());
        assertEquals(LIBRARY, load(Map.of(Library.VARIABLE, LIBRARY), bridge).output());
        refused(load(Map.of(), "-D" + Library.BRIDGE + "=/nowhere.so"), "flagstore.bridge is \"/nowhere.so\"", "no such file");
        refused(load(Map.of(), "-D" + Library.BRIDGE + "=" + LIBRARY.replaceAll("[^/]*$", "")), "no such file");
    }

    @Test
    public void aFolderThatCannotBeWrittenToIsNamedWithTheRemedy() throws Exception {
        Child child = load(Map.of(Library.VARIABLE, LIBRARY), "-Djava.io.tmpdir=/nowhere");
        refused(child, "It is unpacked into /nowhere", "system property flagstore.tmpdir", "flagstore.bridge");
        Path other = folder.newFolder("other").toPath();
        Child named = load(Map.of(Library.VARIABLE, LIBRARY), "-Djava.io.tmpdir=/nowhere", "-Dflagstore.tmpdir=" + other);
        // Newer JVMs say first that there is no such folder.
        assertEquals(LIBRARY, named.output().replaceAll("(?s).*\n", ""));
    }

    @Test
    public void thePlatformThatIsMissingIsNamed() throws Exception {
        refused(load(Map.of(), "-Dos.arch=riscv64"), "this jar has no native part for linux-riscv64", "native/linux-riscv64/libflagstore_jni.so");
        refused(load(Map.of(), "-Dos.name=Mac OS X", "-Dos.arch=aarch64"), "for macos-aarch64", "native/macos-aarch64/libflagstore_jni.dylib");
    }

    @Test
    public void platformsAreNamedAsInTheJar() {
        Map<Platform, List<String>> bridges = Map.of(
                Platform.of("Linux", "amd64", false),
                List.of("native/linux-x86-64/libflagstore_jni.so", "native/linux-x86-64-musl/libflagstore_jni.so"),
                Platform.of("Linux", "aarch64", true),
                List.of("native/linux-aarch64-musl/libflagstore_jni.so", "native/linux-aarch64/libflagstore_jni.so"),
                Platform.of("Mac OS X", "aarch64", false), List.of("native/macos-aarch64/libflagstore_jni.dylib"),
                Platform.of("Mac OS X", "x86_64", true), List.of("native/macos-x86-64/libflagstore_jni.dylib"),
                Platform.of("Windows 11", "amd64", false), List.of("native/windows-x86-64/flagstore_jni.dll"));
        bridges.forEach((platform, expected) -> assertEquals(expected, platform.bridges()));
    }

    @Test
    public void aBridgeOfAnotherPlatformThanItsFolderSaysIsNotTaken() throws Exception {
        for (String[] wrong : new String[][] {
            {"linux-aarch64/libflagstore_jni.so", "7f454c46" + "00".repeat(14) + "3e00" + "00".repeat(44), "linux-x86-64"},
            {"linux-x86-64/libflagstore_jni.so", "7f454c46" + "00".repeat(14) + "b700" + "00".repeat(44), "linux-aarch64"},
            {"linux-x86-64/libflagstore_jni.so", "7f454c46" + "00".repeat(14) + "3e00" + "00".repeat(44) + "006c6962632e736f00", "linux-x86-64-musl"},
            {"macos-aarch64/libflagstore_jni.dylib", "cffaedfe07000001" + "00".repeat(56), "macos-x86-64"},
            {"windows-x86-64/flagstore_jni.dll", "4d5a" + "00".repeat(58) + "40000000504500004c01" + "00".repeat(20), "windows-?"},
        }) {
            Path given = folder.newFolder().toPath();
            Path file = given.resolve(wrong[0]);
            Files.createDirectories(file.getParent());
            Files.write(file, HexFormat.of().parseHex(wrong[1]));
            Path target = folder.newFolder().toPath();
            Files.createSymbolicLink(target.resolve("jni"), CLASSES.resolveSibling("jni"));
            ProcessBuilder builder = new ProcessBuilder(
                            SOURCES.resolve("bridges").toString(), System.getProperty("java.home"), target.toString())
                    .redirectErrorStream(true);
            builder.environment().putAll(Map.of("FLAGSTORE_BRIDGES", given.toString(), "FLAGSTORE_ARCHIVE", ""));
            Process process = builder.start();
            String output = new String(process.getInputStream().readAllBytes());
            assertEquals(output, 1, process.waitFor());
            assertTrue(output, output.contains(" is for " + wrong[2] + ": compile it for " + wrong[0].replaceAll("/.*", "")));
        }
    }

    @Test
    public void theVersionIsTheProjects() throws IOException {
        String pom = Files.readString(Endpoint.REPOSITORY.resolve("bindings/java/pom.xml"));
        assertTrue(pom.contains("<version>" + FlagStore.libraryVersion() + "</version>"));
    }

    private static void compiled(String... command) throws Exception {
        assertEquals(0, new ProcessBuilder(command).inheritIO().start().waitFor());
    }
}
