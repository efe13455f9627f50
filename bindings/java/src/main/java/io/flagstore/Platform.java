package io.flagstore;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * What a native file is for.
 *
 * @param system {@code linux}, {@code macos}, {@code windows}, or what the JVM calls another one
 * @param processor {@code x86-64}, {@code aarch64}, or what the JVM calls another one
 * @param musl whether this is Linux with musl rather than glibc
 */
record Platform(String system, String processor, boolean musl) {
    /** The one that this JVM runs on. */
    static Platform current() {
        return of(System.getProperty("os.name"), System.getProperty("os.arch"), runsOnMusl());
    }

    /** From what the JVM calls system and processor. */
    static Platform of(String osName, String osArch, boolean musl) {
        String system = osName.toLowerCase(Locale.ROOT).replace(' ', '-');
        if (system.startsWith("mac")) system = "macos";
        if (system.startsWith("windows")) system = "windows";
        String processor = osArch.toLowerCase(Locale.ROOT);
        if (processor.equals("amd64") || processor.equals("x86_64")) processor = "x86-64";
        if (processor.equals("arm64")) processor = "aarch64";
        return new Platform(system, processor, system.equals("linux") && musl);
    }

    /** Whether musl's loader is what loaded this process. */
    private static boolean runsOnMusl() {
        try {
            // As bytes: paths of files that are mapped may be no UTF-8.
            byte[] maps = Files.readAllBytes(Path.of("/proc/self/maps"));
            return new String(maps, StandardCharsets.ISO_8859_1).contains("/ld-musl-");
        } catch (IOException noSuchFile) {
            return false;
        }
    }

    /**
     * Where a jar has the bridge, the right one first. On Linux the other C library's comes next: what is found out about that
     * may be wrong, and the loader knows it.
     */
    List<String> bridges() {
        String file = switch (system) {
            case "macos" -> "libflagstore_jni.dylib";
            case "windows" -> "flagstore_jni.dll";
            default -> "libflagstore_jni.so";
        };
        String name = "native/" + system + "-" + processor;
        if (!system.equals("linux")) return List.of(name + "/" + file);
        String glibc = name + "/" + file;
        String ofMusl = name + "-musl/" + file;
        return musl ? List.of(ofMusl, glibc) : List.of(glibc, ofMusl);
    }

    /** The library by the name that the system's loader finds it by. */
    String installed(int abi) {
        return switch (system) {
            case "macos" -> "libflagstore.dylib";
            case "windows" -> "flagstore.dll";
            default -> "libflagstore.so." + abi;
        };
    }

    @Override
    public String toString() {
        return system + "-" + processor + (musl ? " with musl" : "");
    }
}
