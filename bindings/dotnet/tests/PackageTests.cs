using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace Flagstore.Tests
{
    /// <summary>The package, unpacked into an empty project that knows nothing of the sources.</summary>
    public sealed class PackageTests : IDisposable
    {
        private const string Program = @"
            using System;
            using Flagstore;
            public static class Program
            {
                public static void Main(string[] arguments)
                {
                    var options = new FlagStoreOptions(""flags"")
                    {
                        Endpoint = new Uri(arguments[0]), Prefix = arguments[1],
                        Region = ""us-east-1"", AccessKeyId = ""test"", SecretAccessKey = ""x"",
                    };
                    using (FlagStore store = FlagStore.Open(options)) Console.WriteLine(store.Get(""features"", ""flag"").Payload);
                }
            }";

        private readonly string folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "flagstore-" + Guid.NewGuid())).FullName;

        public void Dispose() => Directory.Delete(folder, true);

        private Child In(string place, string program, params string[] arguments)
        {
            // A folder of its own, and nothing of the library's in the environment.
            string command = "cd '" + place + "' && exec " + program + " " + string.Join(" ", arguments.Select(argument => "'" + argument + "'"));
            return Child.Program("sh", new[] { "-c", command }, new Dictionary<string, string>()).Succeeded();
        }

        [Test]
        public void AProgramReadsAFlagWithThePackageAlone()
        {
            // The script compiles with Mono; .NET runs what it made.
            if (!File.Exists("/usr/bin/mcs")) throw new SkippedException("Mono's compiler is not there: apt-get install mono-mcs");
            string binding = Path.Combine(Endpoint.Repository, "bindings", "dotnet");
            Child.Program(Path.Combine(binding, "package"), new[] { folder, "mono" }, Child.WithLibrary).Succeeded();
            string package = Directory.GetFiles(folder, "*.nupkg").Single();
            string project = Directory.CreateDirectory(Path.Combine(folder, "project")).FullName;
            In(project, "python3 -m zipfile -e", package, "package");
            string[] papers = { "README.md", "Flagstore.nuspec", "LICENSE", "THIRD-PARTY-NOTICES", "flagstore.cdx.json" };
            foreach (string part in papers) Check.True(File.Exists(Path.Combine(project, "package", part)), part);
            // Compiled against the stand-in it would refer to an assembly that no package has.
            Check.Sequence(new[] { package }, Directory.GetFiles(folder, "*.nupkg"));

            string prefix = Endpoint.NewPrefix();
            using (FlagStore store = Endpoint.Local.Open(prefix)) store.Upsert("features", "flag", new Item(1, "read by the package"));
            File.WriteAllText(Path.Combine(project, "program.cs"), Program);
            In(project, "mcs", "-out:program.exe", "-r:package/lib/netstandard2.0/Flagstore.dll", "program.cs");
            // As NuGet lays it out beside a program.
            File.Copy(Path.Combine(project, "package", "lib", "netstandard2.0", "Flagstore.dll"), Path.Combine(project, "Flagstore.dll"));
            Directory.Move(Path.Combine(project, "package", "runtimes"), Path.Combine(project, "runtimes"));
            if (!Child.OnMono)
            {
                File.Copy(
                    Path.ChangeExtension(typeof(Child).Assembly.Location, "runtimeconfig.json"), Path.Combine(project, "program.runtimeconfig.json"));
            }
            Child read = In(project, "'" + Child.Runtime + "'", "program.exe", Endpoint.Local.Url.OriginalString, prefix);
            Check.Equal("read by the package", read.Output);
        }

        [Test]
        public void ThePackageIsTheSameForTheSameInput()
        {
            if (!File.Exists("/usr/bin/mcs")) throw new SkippedException("Mono's compiler is not there: apt-get install mono-mcs");
            string[] names = { "one", "two" };
            string script = Path.Combine(Endpoint.Repository, "bindings", "dotnet", "package");
            List<byte[]> made = names.Select(name =>
            {
                string place = Path.Combine(folder, name);
                Child.Program(script, new[] { place, "mono" }, Child.WithLibrary).Succeeded();
                return File.ReadAllBytes(Directory.GetFiles(place, "*.nupkg").Single());
            }).ToList();
            Check.Sequence(made[0], made[1]);
        }
    }
}
