using System;
using System.ComponentModel;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;

namespace Flagstore
{
    /// <summary>What differs by operating system: what the library's file is called there, and the system's loader.</summary>
    internal sealed class Platform
    {
        private Platform(string name, string file, string ofSystem, Loader loader)
        {
            Identifier = name + "-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
            File = file;
            OfSystem = ofSystem;
            Loader = loader;
        }

        /// <summary>The one of this process.</summary>
        internal static Platform Here { get; } =
            // Not flagstore.dll, which is this assembly where the case of letters does not count.
            RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? new Platform("win", "libflagstore.dll", "libflagstore.dll", new WindowsLoader())
            : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? new Platform("osx", "libflagstore.dylib", "libflagstore.dylib", new MacLoader())
            : RuntimeInformation.IsOSPlatform(OSPlatform.Linux) ? OnLinux(new LinuxLoader())
            : throw new LibraryException("flagstore runs on Linux, macOS and Windows, and this is " + RuntimeInformation.OSDescription);

        private static Platform OnLinux(Loader loader) =>
            // musl has not all that glibc has.
            new Platform(
                loader.Find(IntPtr.Zero, "gnu_get_libc_version") == IntPtr.Zero ? "linux-musl" : "linux", "libflagstore.so", "libflagstore.so.1", loader);

        /// <summary>How NuGet calls it: the name of its folder in the package.</summary>
        internal string Identifier { get; }

        /// <summary>The library's file in a package.</summary>
        internal string File { get; }

        /// <summary>What the system's own is asked for by; on Linux by its SONAME.</summary>
        internal string OfSystem { get; }

        internal Loader Loader { get; }
    }

    /// <summary>The loader of an operating system, since netstandard2.0 has no NativeLibrary. What was loaded stays loaded.</summary>
    internal abstract class Loader
    {
        /// <summary>Zero if it cannot be, and then why.</summary>
        internal abstract IntPtr Open(string path, out string reason);

        /// <summary>The address of a function; zero if the library has none of that name.</summary>
        internal abstract IntPtr Find(IntPtr library, string name);

        protected static byte[] Terminated(string text) => Encoding.UTF8.GetBytes(text + "\0");
    }

    internal sealed class WindowsLoader : Loader
    {
        // What the library needs is looked for in its own folder too; may be asked for with a whole path alone.
        private const uint BesideIt = 8;

        [DllImport("kernel32", CharSet = CharSet.Unicode, SetLastError = true, ExactSpelling = true)]
        private static extern IntPtr LoadLibraryExW(string path, IntPtr reserved, uint flags);

        [DllImport("kernel32", ExactSpelling = true)]
        private static extern IntPtr GetProcAddress(IntPtr library, byte[] name);

        internal override IntPtr Open(string path, out string reason)
        {
            IntPtr library = LoadLibraryExW(path, IntPtr.Zero, Path.IsPathRooted(path) ? BesideIt : 0);
            reason = library == IntPtr.Zero ? new Win32Exception(Marshal.GetLastWin32Error()).Message : null;
            return library;
        }

        internal override IntPtr Find(IntPtr library, string name) => GetProcAddress(library, Terminated(name));
    }

    internal sealed class LinuxLoader : Loader
    {
        private const int Now = 2;
        // In every glibc, also where dlopen itself has moved to libc.so.6; and musl takes it for itself.
        private const string Library = "libdl.so.2";

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        private static extern IntPtr dlopen(byte[] path, int flags);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        private static extern IntPtr dlsym(IntPtr library, byte[] name);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        private static extern unsafe byte* dlerror();

        internal override unsafe IntPtr Open(string path, out string reason)
        {
            IntPtr library = dlopen(Terminated(path), Now);
            reason = library == IntPtr.Zero ? Text.Terminated(dlerror()) : null;
            return library;
        }

        internal override IntPtr Find(IntPtr library, string name) => dlsym(library, Terminated(name));
    }

    internal sealed class MacLoader : Loader
    {
        private const int Now = 2;
        private const string Library = "/usr/lib/libSystem.B.dylib";

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        private static extern IntPtr dlopen(byte[] path, int flags);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        private static extern IntPtr dlsym(IntPtr library, byte[] name);

        [DllImport(Library, CallingConvention = CallingConvention.Cdecl)]
        private static extern unsafe byte* dlerror();

        internal override unsafe IntPtr Open(string path, out string reason)
        {
            IntPtr library = dlopen(Terminated(path), Now);
            reason = library == IntPtr.Zero ? Text.Terminated(dlerror()) : null;
            return library;
        }

        internal override IntPtr Find(IntPtr library, string name) => dlsym(library, Terminated(name));
    }
}
