using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Flagstore.Tests
{
    /// <summary>Where libflagstore is looked for, and what is said where it cannot be used.</summary>
    public sealed class LibraryTests : IDisposable
    {
        private static readonly Dictionary<string, string> Nothing = new Dictionary<string, string>();

        private readonly string folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "flagstore-" + Guid.NewGuid())).FullName;

        public void Dispose() => Directory.Delete(folder, true);

        /// <summary>Loads the library and prints where it came from.</summary>
        public static void Load(string[] arguments)
        {
            Console.WriteLine(Library.Load());
        }

        private static Child Loaded(Dictionary<string, string> environment) => Child.Run("LibraryTests.Load", environment);

        private static Dictionary<string, string> Named(string path) => new Dictionary<string, string> { { Library.Variable, path } };

        private static void Refused(Child child, params string[] texts)
        {
            Check.Equal(1, child.Status);
            Check.Contains("Flagstore.LibraryException: ", child.Output);
            foreach (string text in texts) Check.Contains(text, child.Output);
        }

        private string Compiled(string name, string source, params string[] options)
        {
            string file = Path.Combine(folder, name);
            File.WriteAllText(file + ".c", source);
            Child.Program("cc", new[] { "-shared", "-fPIC", "-o", file + ".so", file + ".c" }.Concat(options).ToArray(), Nothing).Succeeded();
            return file + ".so";
        }

        [Test]
        public void TheVariableNamesTheFile()
        {
            Check.Equal(Endpoint.Library, Loaded(Child.WithLibrary).Succeeded().Output);
            string relative = Path.Combine("..", Path.GetFileName(Directory.GetCurrentDirectory()), "libflagstore-é.so");
            string link = Path.GetFullPath(relative);
            Child.Program("ln", new[] { "-sf", Endpoint.Library, link }, Nothing).Succeeded();
            try
            {
                Check.Equal(link, Loaded(Named(relative)).Succeeded().Output);
            }
            finally
            {
                File.Delete(link);
            }
        }

        [Test]
        public void AWrongNameIsFatal() =>
            Refused(Loaded(Named("/nowhere.so")), "FLAGSTORE_LIBRARY is \"/nowhere.so\"", "no such file", "correct it or unset it");

        [Test]
        public void AFileThatIsNoLibraryIsFatal()
        {
            string wrong = Path.Combine(folder, "libflagstore.so");
            File.WriteAllText(wrong, "not a library");
            Refused(Loaded(Named(wrong)), wrong + " cannot be used as libflagstore: ");
        }

        [Test]
        public void AnotherLibraryIsFatal() =>
            Refused(Loaded(Named(Compiled("other", "int other(void) { return 1; }"))), "cannot be used as libflagstore: ", "store_abi_version");

        [Test]
        public void AnotherAbiIsFatal() =>
            Refused(
                Loaded(Named(Compiled("other", "unsigned store_abi_version(void) { return 77; }"))),
                " has ABI 77, this package needs ABI 1: install versions that match");

        [Test]
        public void TheAbiIsCheckedBeforeAnythingElseIsBound() =>
            // It has nothing else, and that is not what is said.
            Check.Lacks("store_version", Loaded(Named(Compiled("other", "unsigned store_abi_version(void) { return 2; }"))).Output);

        [Test]
        public void AMissingFunctionIsNamed() =>
            Refused(
                Loaded(Named(Compiled("old", "unsigned store_abi_version(void) { return 1; }"))),
                "cannot be used as libflagstore: it has no store_");

        [Test]
        public void CallsGoToTheFileAndNotToItsName()
        {
            // Loaded before it, of its SONAME, and without what the library has.
            string other = Compiled("other", "const char *store_version(void) { return \"another\"; }", "-Wl,-soname,libflagstore.so.1");
            var environment = new Dictionary<string, string>(Child.WithLibrary) { { "LD_PRELOAD", other } };
            Check.Equal(FlagStore.LibraryVersion, Child.Run("LibraryTests.Version", environment).Succeeded().Output);
        }

        /// <summary>Prints the library's version.</summary>
        public static void Version(string[] arguments) => Console.WriteLine(FlagStore.LibraryVersion);

        /// <summary>The tests' program in a folder of its own, as an application is installed.</summary>
        private string Copied()
        {
            string here = AppDomain.CurrentDomain.BaseDirectory;
            string copy = Directory.CreateDirectory(Path.Combine(folder, "application")).FullName;
            foreach (string file in Directory.GetFiles(here).Where(file => !file.EndsWith(".so")))
            {
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            }
            return Path.Combine(copy, Path.GetFileName(typeof(Child).GetTypeInfo().Assembly.Location));
        }

        private static Child LoadedBy(string program, Dictionary<string, string> environment) =>
            Child.Program(Child.Runtime, new[] { program, "--child", "LibraryTests.Load" }, environment);

        [Test]
        public void TheCopyInThePackageComesSecond()
        {
            string program = Copied();
            string inside = Path.Combine(Path.GetDirectoryName(program), "runtimes", "linux-" + Processor, "native");
            string copy = Path.Combine(Directory.CreateDirectory(inside).FullName, "libflagstore.so");
            File.Copy(Endpoint.Library, copy);
            Check.Equal(copy, LoadedBy(program, Nothing).Succeeded().Output);
            // Beside the program, where one that is published for a platform has it.
            string beside = Path.Combine(Path.GetDirectoryName(program), "libflagstore.so");
            File.Move(copy, beside);
            Check.Equal(beside, LoadedBy(program, Nothing).Succeeded().Output);
            Check.Equal(Endpoint.Library, LoadedBy(program, Child.WithLibrary).Succeeded().Output);
            // It is there, so that it is used or nothing is.
            File.WriteAllText(beside, "not a library");
            Refused(LoadedBy(program, Nothing), beside + " cannot be used as libflagstore: ");
        }

        private static string Processor => System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

        [Test]
        public void TheSystemComesLast()
        {
            string program = Copied();
            Child nowhere = LoadedBy(program, Nothing);
            if (nowhere.Status == 0) Check.Equal("libflagstore.so.1", nowhere.Output);
            else Refused(nowhere, "libflagstore was not found: FLAGSTORE_LIBRARY is not set", "libflagstore.so.1");
            string system = Directory.CreateDirectory(Path.Combine(folder, "system")).FullName;
            File.Copy(Endpoint.Library, Path.Combine(system, "libflagstore.so.1"));
            var path = new Dictionary<string, string>
            {
                { "LD_LIBRARY_PATH", system + ":" + Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") },
            };
            Check.Equal("libflagstore.so.1", LoadedBy(program, path).Succeeded().Output);
        }

        [Test]
        public void TheVersionIsTheProjects()
        {
            string properties = File.ReadAllText(Path.Combine(Endpoint.Repository, "bindings", "dotnet", "Directory.Build.props"));
            Check.Equal(FlagStore.LibraryVersion, Regex.Match(properties, "<Version>(.*)</Version>").Groups[1].Value);
        }
    }
}
