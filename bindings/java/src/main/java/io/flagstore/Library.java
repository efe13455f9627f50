package io.flagstore;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/**
 * Loads the bridge, which has libflagstore inside, or what is to be used instead of that.
 *
 * <p>The bridge is the file that the system property {@value #BRIDGE} names, else the one in the jar for this platform. The
 * library is the file that the property {@value #PROPERTY} or the environment variable {@value #VARIABLE} names, else the one
 * inside the bridge, else, where the bridge was built without it, the system's. What is there and cannot be used is an error.
 */
final class Library {
    static final String PROPERTY = "flagstore.library";
    static final String VARIABLE = "FLAGSTORE_LIBRARY";
    static final String BRIDGE = "flagstore.bridge";
    /** Where the bridge is unpacked, if not in java.io.tmpdir. */
    static final String FOLDER = "flagstore.tmpdir";
    static final int ABI = 1;

    private static boolean bridged;
    private static String bridge;
    private static volatile String origin;

    private Library() {}

    /** Loads the library if that was not done yet; says where it came from. */
    static String load() {
        if (origin == null) find();
        return origin;
    }

    private static synchronized void find() {
        if (origin != null) return;
        // What was asked for and is not there is told first, whatever else is wrong.
        String named = named(PROPERTY, VARIABLE);
        if (!bridged) {
            bridge = bridge();
            bridged = true;
        }
        if (named != null) {
            use(named, named);
            origin = named;
        } else if (Native.linked()) {
            use(null, bridge);
            origin = bridge;
        } else {
            String installed = Platform.current().installed(ABI);
            try {
                use(installed, installed);
            } catch (LibraryException error) {
                throw new LibraryException("libflagstore was not found: neither the system property " + PROPERTY + " nor "
                        + VARIABLE + " is set, " + bridge + " was built without it, and of the system's: "
                        + error.getMessage());
            }
            origin = installed;
        }
    }

    /** The absolute path that the property, or the variable if there is one, names; null if neither does. */
    private static String named(String property, String variable) {
        String name = property;
        String value = System.getProperty(property);
        if ((value == null || value.isEmpty()) && variable != null) {
            name = variable;
            value = System.getenv(variable);
        }
        if (value == null || value.isEmpty()) return null;
        Path path = Path.of(value).toAbsolutePath();
        if (!Files.isRegularFile(path)) {
            throw new LibraryException(
                    name + " is \"" + value + "\", and there is no such file: correct it or unset it");
        }
        return path.toString();
    }

    private static void use(String path, String name) {
        byte[] answer = Native.use(path == null ? null : (path + "\0").getBytes(StandardCharsets.UTF_8));
        if (Answer.code(answer) != Answer.OK) {
            throw new LibraryException(name + " cannot be used as libflagstore: " + Answer.message(answer));
        }
    }

    /** Loads the bridge; says which. */
    private static String bridge() {
        String named = named(BRIDGE, null);
        if (named != null) {
            try {
                System.load(named);
            } catch (UnsatisfiedLinkError error) {
                throw new LibraryException(BRIDGE + " is \"" + named + "\", which cannot be loaded: " + error, error);
            }
            return named;
        }
        Platform platform = Platform.current();
        List<String> failures = new ArrayList<>();
        Throwable last = null;
        for (String resource : platform.bridges()) {
            if (Library.class.getResource(resource) == null) continue;
            try {
                unpacked(resource);
                return "jar:" + resource;
            } catch (IOException | UnsatisfiedLinkError error) {
                failures.add(resource + ": " + error);
                last = error;
            }
        }
        if (last == null) {
            throw new LibraryException("this jar has no native part for " + platform + ": it would be "
                    + String.join(" or ", platform.bridges()) + ". Take a jar with it, or compile it and name it in the system"
                    + " property " + BRIDGE);
        }
        throw new LibraryException(
                "the native part for " + platform + " cannot be loaded out of this jar (" + String.join("; ", failures)
                        + "). It is unpacked into " + folder() + ", where files have to be written and executed: name another"
                        + " folder in the system property " + FOLDER + ", or unpack the file yourself, and name it in " + BRIDGE,
                last);
    }

    private static Path folder() {
        String named = System.getProperty(FOLDER);
        boolean given = named != null && !named.isEmpty();
        return Path.of(given ? named : System.getProperty("java.io.tmpdir"));
    }

    /**
     * Loads a copy of a resource in a folder that nobody else can write to or read, and removes it afterwards where the
     * system lets it: what is loaded stays loaded without its name.
     */
    private static void unpacked(String resource) throws IOException {
        boolean permissions = FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] own = permissions
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))}
                : new FileAttribute<?>[0];
        Path folder = null;
        Path file = null;
        try (InputStream packaged = Library.class.getResourceAsStream(resource)) {
            folder = Files.createTempDirectory(folder(), "flagstore", own);
            file = folder.resolve(Path.of(resource).getFileName());
            Files.copy(packaged, file);
            System.load(file.toString());
        } finally {
            remove(file);
            remove(folder);
        }
    }

    private static void remove(Path path) {
        if (path == null) return;
        try {
            Files.deleteIfExists(path);
        } catch (IOException inUse) {
            // Windows keeps what is loaded.
            path.toFile().deleteOnExit();
        }
    }
}
