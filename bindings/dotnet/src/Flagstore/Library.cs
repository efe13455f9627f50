using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Flagstore
{
    /// <summary>
    /// Finds libflagstore, loads it and checks its ABI.
    /// </summary>
    /// <remarks>
    /// Looked for in this order: the file that FLAGSTORE_LIBRARY names, the copy inside the package, the system. The first
    /// one that is there is taken; if it cannot be used, the others are not tried.
    /// </remarks>
    internal static class Library
    {
        internal const string Variable = "FLAGSTORE_LIBRARY";
        private const string Packaged = "libflagstore.so";

        private static readonly object Loading = new object();
        private static volatile string origin;

        /// <summary>Loads it if that was not done yet; says where it came from: a path, or what the system's loader resolved.</summary>
        internal static string Load()
        {
            if (origin != null) return origin;
            lock (Loading) return origin ?? (origin = Found());
        }

        private static string Found()
        {
            string named = Environment.GetEnvironmentVariable(Variable);
            if (!string.IsNullOrEmpty(named))
            {
                string file = Path.GetFullPath(named);
                if (File.Exists(file)) return Used(file);
                throw new LibraryException(Variable + " is \"" + named + "\", and there is no such file: correct it or unset it");
            }
            string packaged = InPackage().FirstOrDefault(File.Exists);
            if (packaged != null) return Used(packaged);
            try
            {
                return Used(Native.Soname);
            }
            catch (LibraryException error)
            {
                throw new LibraryException(
                    "libflagstore was not found: " + Variable + " is not set, this package has none for " + Platform
                    + ", and of the system's: " + error.Message);
            }
        }

        /// <summary>Where a copy can be that came with the package, by what is known of the running program.</summary>
        private static IEnumerable<string> InPackage()
        {
            string inside = Path.Combine("runtimes", Platform, "native", Packaged);
            var folders = new List<string>();
            // .NET lists the native folders of an application's packages here; Mono and .NET Framework know no such list.
            if (AppDomain.CurrentDomain.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") is string listed)
            {
                folders.AddRange(listed.Split(Path.PathSeparator).Where(folder => folder.Length > 0));
            }
            // Empty where the assembly is part of a single file.
#pragma warning disable IL3000
            string assembly = typeof(Library).GetTypeInfo().Assembly.Location;
#pragma warning restore IL3000
            if (!string.IsNullOrEmpty(assembly))
            {
                string folder = Path.GetDirectoryName(assembly);
                folders.Add(folder);
                // lib/netstandard2.0 of a package that was unpacked as it is.
                folders.Add(Path.GetFullPath(Path.Combine(folder, "..", "..")));
            }
            folders.Add(AppDomain.CurrentDomain.BaseDirectory);
            return folders.SelectMany(folder => new[] { Path.Combine(folder, Packaged), Path.Combine(folder, inside) });
        }

        private static string Platform
        {
            get
            {
                string system = RuntimeInformation.IsOSPlatform(OSPlatform.Linux) ? "linux" : "other";
                return system + "-" + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
            }
        }

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate uint AbiVersion();

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private unsafe delegate byte* VersionText();

        private static string Used(string path)
        {
            IntPtr library = Loader.Open(path);
            uint abi = Marshal.GetDelegateForFunctionPointer<AbiVersion>(Loader.Find(library, path, "store_abi_version"))();
            if (abi != Native.Abi)
            {
                throw new LibraryException(
                    path + " has ABI " + abi + ", this package needs ABI " + Native.Abi + ": install versions that match");
            }
            foreach (MethodInfo function in Functions) Loader.Find(library, path, function.Name);
            if (!Loader.Has(library, Native.Soname) || !IsImported(Loader.Find(library, path, "store_version")))
            {
                throw new LibraryException(
                    path + " cannot be used as libflagstore: functions are looked for by the SONAME " + Native.Soname
                    + ", which it lacks or another file has: name that one, or remove it");
            }
            return path;
        }

        // Whether DllImport goes to this library, and to no other of its name: the same text at the same place. A method of its
        // own, and so are others that call the library for the first time: Mono looks for it when it compiles the caller.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static unsafe bool IsImported(IntPtr version) =>
            Marshal.GetDelegateForFunctionPointer<VersionText>(version)() == Native.store_version();

        internal static IEnumerable<MethodInfo> Functions =>
            typeof(Native).GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
                .Where(method => method.Name.StartsWith("store_", StringComparison.Ordinal));

        /// <summary>
        /// The system's loader. netstandard2.0 has no NativeLibrary; libdl.so.2 is in every glibc, also where dlopen itself
        /// has moved to libc.so.6. What was loaded stays loaded.
        /// </summary>
        private static class Loader
        {
            private const int Now = 2;
            private const int OnlyIfLoaded = 4;

            [DllImport("libdl.so.2", CallingConvention = CallingConvention.Cdecl)]
            private static extern IntPtr dlopen(byte[] path, int flags);

            [DllImport("libdl.so.2", CallingConvention = CallingConvention.Cdecl)]
            private static extern IntPtr dlsym(IntPtr library, byte[] name);

            [DllImport("libdl.so.2", CallingConvention = CallingConvention.Cdecl)]
            private static extern IntPtr dlerror();

            internal static IntPtr Open(string path)
            {
                try
                {
                    IntPtr library = dlopen(Terminated(path), Now);
                    if (library != IntPtr.Zero) return library;
                }
                catch (DllNotFoundException)
                {
                    throw new LibraryException(path + " cannot be loaded: flagstore runs on Linux with glibc, and this is " + Platform);
                }
                throw new LibraryException(path + " cannot be used as libflagstore: " + Reason());
            }

            /// <summary>Whether it is the library that the loader gives for this name.</summary>
            internal static bool Has(IntPtr library, string name) => dlopen(Terminated(name), Now | OnlyIfLoaded) == library;

            internal static IntPtr Find(IntPtr library, string path, string name)
            {
                IntPtr address = dlsym(library, Terminated(name));
                if (address != IntPtr.Zero) return address;
                throw new LibraryException(
                    path + " cannot be used as libflagstore: it has no " + name + ": install versions that match");
            }

            private static unsafe string Reason() => Text.Terminated((byte*)dlerror());

            private static byte[] Terminated(string text) => Encoding.UTF8.GetBytes(text + "\0");
        }
    }
}
