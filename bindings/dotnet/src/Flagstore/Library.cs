using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;

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
                return Used(Platform.Here.OfSystem);
            }
            catch (LibraryException error)
            {
                throw new LibraryException(
                    "libflagstore was not found: " + Variable + " is not set, this package has none for " + Platform.Here.Identifier
                    + ", and of the system's: " + error.Message);
            }
        }

        /// <summary>Where a copy can be that came with the package, by what is known of the running program.</summary>
        private static IEnumerable<string> InPackage()
        {
            string inside = Path.Combine("runtimes", Platform.Here.Identifier, "native", Platform.Here.File);
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
            return folders.SelectMany(folder => new[] { Path.Combine(folder, Platform.Here.File), Path.Combine(folder, inside) });
        }

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate uint AbiVersion();

        private static string Used(string path)
        {
            IntPtr library = Platform.Here.Loader.Open(path, out string reason);
            if (library == IntPtr.Zero) throw Unusable(path, reason);
            uint abi = Marshal.GetDelegateForFunctionPointer<AbiVersion>(Address(library, path, "store_abi_version"))();
            if (abi != Native.Abi)
            {
                throw new LibraryException(
                    path + " has ABI " + abi + ", this package needs ABI " + Native.Abi + ": install versions that match");
            }
            Native.Bind(name => Address(library, path, name));
            return path;
        }

        private static IntPtr Address(IntPtr library, string path, string name)
        {
            IntPtr address = Platform.Here.Loader.Find(library, name);
            return address != IntPtr.Zero ? address : throw Unusable(path, "it has no " + name + ": install versions that match");
        }

        private static LibraryException Unusable(string path, string reason) =>
            new LibraryException(path + " cannot be used as libflagstore: " + reason);
    }
}
