package io.flagstore;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;

/**
 * Finds libflagstore, loads it and checks its ABI.
 *
 * <p>Looked for in this order: the file that the system property {@value #PROPERTY} or the environment variable
 * {@value #VARIABLE} names, the copy inside the jar, the system. The first one that is there is taken; if it cannot be
 * used, the others are not tried. The bridge between it and Java always comes out of the jar.
 */
final class Library {
    static final String PROPERTY = "flagstore.library";
    static final String VARIABLE = "FLAGSTORE_LIBRARY";
    static final int ABI = 1;

    private static final String INSTALLED = "libflagstore.so." + ABI;
    private static final String PLATFORM = platform();
    private static final String PACKAGED = "native/" + PLATFORM + "/libflagstore.so";
    private static final String BRIDGE = "native/" + PLATFORM + "/libflagstore_jni.so";

    private static boolean bridged;
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
        String named = named();
        if (!bridged) {
            extracted(BRIDGE, bridge -> System.load(bridge.toString()));
            bridged = true;
        }
        if (named != null) {
            use(named);
            origin = named;
        } else if (Library.class.getResource(PACKAGED) != null) {
            extracted(PACKAGED, library -> use(library.toString()));
            origin = "jar:" + PACKAGED;
        } else {
            try {
                use(INSTALLED);
            } catch (LibraryException error) {
                throw new LibraryException("libflagstore was not found: neither the system property " + PROPERTY + " nor "
                        + VARIABLE + " is set, this jar has none for " + PLATFORM + ", and of the system's: "
                        + error.getMessage());
            }
            origin = INSTALLED;
        }
    }

    /** The absolute path that the property or the variable names; null if neither does. */
    private static String named() {
        String name = PROPERTY;
        String value = System.getProperty(PROPERTY);
        if (value == null || value.isEmpty()) {
            name = VARIABLE;
            value = System.getenv(VARIABLE);
        }
        if (value == null || value.isEmpty()) return null;
        Path path = Path.of(value).toAbsolutePath();
        if (!Files.isRegularFile(path)) {
            throw new LibraryException(
                    name + " is \"" + value + "\", and there is no such file: correct it or unset it");
        }
        return path.toString();
    }

    private static void use(String path) {
        byte[] answer = Native.load((path + "\0").getBytes(StandardCharsets.UTF_8));
        if (Answer.code(answer) != Answer.OK) {
            throw new LibraryException(path + " cannot be used as libflagstore: " + Answer.text(answer));
        }
        if (Answer.number(answer) != ABI) {
            throw new LibraryException(path + " has ABI " + Answer.number(answer) + ", this jar needs ABI " + ABI
                    + ": install versions that match");
        }
    }

    private interface Loading {
        void load(Path file);
    }

    /**
     * Hands over a copy of a resource in a folder that nobody else can write to or read, and removes it afterwards:
     * what is loaded stays loaded without its name.
     */
    private static void extracted(String resource, Loading loading) {
        Path folder = null;
        Path file = null;
        try (InputStream packaged = Library.class.getResourceAsStream(resource)) {
            if (packaged == null) {
                throw new LibraryException("this jar has no " + resource + ": flagstore runs on Linux, on the processors"
                        + " that the jar was built for, and this is " + PLATFORM);
            }
            folder = Files.createTempDirectory(
                    "flagstore", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            file = folder.resolve(Path.of(resource).getFileName());
            Files.copy(packaged, file);
            loading.load(file);
        } catch (IOException | UnsatisfiedLinkError error) {
            throw new LibraryException("the copy of " + resource + " out of this jar cannot be loaded on " + PLATFORM
                    + ": " + error + ": see that files in java.io.tmpdir, which is "
                    + System.getProperty("java.io.tmpdir") + ", can be written and executed, and that the system has glibc",
                    error);
        } finally {
            remove(file);
            remove(folder);
        }
    }

    private static void remove(Path path) {
        try {
            if (path != null) Files.deleteIfExists(path);
        } catch (IOException error) {
            System.getLogger(FlagStore.LOGGER).log(System.Logger.Level.WARNING, "{0} could not be removed: {1}", path, error);
        }
    }

    private static String platform() {
        String processor = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        if (processor.equals("amd64")) processor = "x86-64";
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        return system.replace(' ', '-') + "-" + processor;
    }
}
