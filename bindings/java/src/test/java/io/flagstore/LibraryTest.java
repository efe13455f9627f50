package io.flagstore;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Where libflagstore is looked for, and what is said where it cannot be used. */
public class LibraryTest {
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();

    private static final String LIBRARY = Endpoint.LIBRARY;
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
        refused(load(Map.of(Library.VARIABLE, other.toString())), other + " has ABI 77, this jar needs ABI 1: install versions that match");
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
    public void theSystemComesLast() throws Exception {
        String classPath = classPath(withoutLibrary());
        Child nowhere = Child.run(Child.Loading.class, classPath, Map.of(), List.of());
        if (nowhere.status() == 0) assertEquals("libflagstore.so.1", nowhere.output());
        else refused(nowhere, "libflagstore was not found: ", "flagstore.library", "FLAGSTORE_LIBRARY", "libflagstore.so.1");
        Files.createSymbolicLink(folder.getRoot().toPath().resolve("libflagstore.so.1"), Path.of(LIBRARY));
        Map<String, String> path = Map.of("LD_LIBRARY_PATH", folder.getRoot().toString());
        assertEquals("libflagstore.so.1", Child.run(Child.Loading.class, classPath, path, List.of()).output());
    }

    @Test
    public void theCopyInTheJarIsUsedFromAPrivateFolderThatIsGoneAfterwards() throws Exception {
        Path classes = withoutLibrary();
        Path bridge = find(classes, "libflagstore_jni.so");
        Files.copy(Path.of(LIBRARY), bridge.resolveSibling("libflagstore.so"));
        String classPath = classPath(classes);
        Path temporary = folder.newFolder("temporary").toPath();
        Child child = Child.run(
                Child.Loading.class, classPath, Map.of(), List.of("-Djava.io.tmpdir=" + temporary));
        assertTrue(child.output(), child.output().startsWith("jar:native/linux-"));
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(List.of(), left.toList());
        }
    }

    @Test
    public void aFolderThatCannotBeWrittenToIsNamed() throws Exception {
        Child child = load(Map.of(), "-Djava.io.tmpdir=/nowhere");
        refused(child, "java.io.tmpdir, which is /nowhere");
    }

    @Test
    public void theVersionIsTheProjects() throws IOException {
        String pom = Files.readString(Endpoint.REPOSITORY.resolve("bindings/java/pom.xml"));
        assertTrue(pom.contains("<version>" + FlagStore.libraryVersion() + "</version>"));
    }

    /** The classes without a copy of the library, to stand before them on the class path. */
    /** The class path of this test with other classes than the built ones, which hold the library once it was packaged. */
    private static String classPath(Path classes) {
        String built = System.getProperty("java.class.path").replace(CLASSES.toString(), classes.toString());
        assertTrue(built, built.contains(classes.toString()));
        return built;
    }

    private Path withoutLibrary() throws IOException {
        Path copy = folder.newFolder().toPath();
        try (Stream<Path> files = Files.walk(CLASSES)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                if (file.endsWith("libflagstore.so")) continue;
                Path to = copy.resolve(CLASSES.relativize(file).toString());
                Files.createDirectories(to.getParent());
                Files.copy(file, to);
            }
        }
        return copy;
    }

    private static Path find(Path below, String name) throws IOException {
        try (Stream<Path> files = Files.walk(below)) {
            return files.filter(file -> file.endsWith(name)).findFirst().orElseThrow();
        }
    }

    private static void compiled(String... command) throws Exception {
        assertEquals(0, new ProcessBuilder(command).inheritIO().start().waitFor());
    }
}
