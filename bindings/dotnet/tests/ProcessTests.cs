using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>The library as a guest of a process: its output, its memory and its end stay its own.</summary>
    public sealed class ProcessTests
    {
        private static FlagStoreOptions Options(string url, string prefix) => new FlagStoreOptions(Endpoint.Table)
        {
            Endpoint = new Uri(url), Prefix = prefix, Region = "us-east-1", AccessKeyId = "test", SecretAccessKey = Endpoint.Secret,
        };

        /// <summary>Everything that crosses to C, right and wrong.</summary>
        public static void EveryCall(string[] arguments)
        {
            using (FlagStore store = FlagStore.Open(Options(arguments[0], arguments[1]))) EveryCall(store, 3);
        }

        private static void EveryCall(FlagStore store, int rounds)
        {
            for (int round = 0; round < rounds; round++)
            {
                var items = Enumerable.Range(0, 50).ToDictionary(number => "flag-" + number, number => new Item(round, new string('x', 500)));
                store.Init(new[] { new ItemCollection("features", items), new ItemCollection("segments", new Dictionary<string, Item>()) });
                store.InitJson("{\"flags\":{\"a\":{\"version\":1}}}");
                store.Upsert("features", "flag", new Item(round, new string('x', 1000)));
                store.Upsert("features", "flag", new Item(0, "older"));
                store.Upsert("features", "huge", new Item(round, new string('x', 400000)));
                store.Delete("features", "gone", round);
                store.Get("features", "flag");
                store.Get("features", "nothing");
                store.GetAll("features");
                store.Initialized();
                store.Available();
                store.BigSegmentsMetadata();
                store.BigSegmentsMembership("hash");
                store.Statistics();
                store.ClearCache();
                Task.WaitAll(
                    store.GetAsync("features", "flag"), store.GetAllAsync("features"), store.InitializedAsync(),
                    store.UpsertAsync("features", "flag", new Item(0, "older")), store.InitJsonAsync("{\"flags\":{\"a\":{\"version\":1}}}"),
                    store.InitAsync(new[] { new ItemCollection("features", items) }), store.AvailableAsync(),
                    store.BigSegmentsMetadataAsync(), store.BigSegmentsMembershipAsync("hash"));
                foreach (Action wrong in new Action[]
                {
                    () => store.Get("features", ""), () => store.GetAsync("", "").GetAwaiter().GetResult(), () => store.InitJson("p4yl0ad"),
                    () => FlagStore.Open(new FlagStoreOptions("")),
                })
                {
                    Check.Throws<FlagStoreException>(wrong);
                }
            }
        }

        [Test]
        public void NothingIsPrinted()
        {
            string url = Endpoint.Local.Url.OriginalString;
            Check.Equal("", Child.Run("ProcessTests.EveryCall", Child.WithLibrary, url, Endpoint.NewPrefix()).Succeeded().Output);
        }

        /// <summary>Prints by how many kilobytes the process grew over calls of which each kind was given 70 MB.</summary>
        public static void Grow(string[] arguments)
        {
            FlagStoreOptions options = Options(arguments[0], arguments[1]);
            options.LogLevel = "off";
            using (FlagStore store = FlagStore.Open(options))
            {
                options.CacheTtl = TimeSpan.FromTicks(-1);
                FlagStore cached = FlagStore.Open(options);
                Answers(store, cached, 1, 50);
                long before = Resident();
                Answers(store, cached, 51, 200);
                Console.WriteLine(Resident() - before);
            }
        }

        // Another payload each time: the library keeps what is the same only once.
        private static void Answers(FlagStore store, FlagStore cached, int first, int rounds)
        {
            for (int version = first; version < first + rounds; version++)
            {
                store.Upsert("features", "flag", new Item(version, version + new string('x', 350000)));
                store.Get("features", "flag");
                store.GetAsync("features", "flag").Wait();
                store.GetAll("features");
                store.GetAllAsync("features").Wait();
                store.Upsert("features", "flag", new Item(0, "older"));
                store.UpsertAsync("features", "flag", new Item(0, "older")).Wait();
                store.BigSegmentsMembership("hash");
                store.BigSegmentsMembershipAsync("hash").Wait();
                cached.ClearCache();
                cached.GetAsync("features", "flag").Wait();
                Check.True(cached.GetAsync("features", "flag").IsCompleted);
            }
        }

        private static long Resident()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            string line = System.IO.File.ReadAllLines("/proc/self/status").Single(status => status.StartsWith("VmRSS:"));
            return long.Parse(new string(line.Where(char.IsDigit).ToArray()));
        }

        [Test]
        public void WhatTheLibraryGivesIsFreed()
        {
            string prefix = Endpoint.NewPrefix();
            IEnumerable<string> segments = Enumerable.Range(0, 350).Select(number => "\"" + number + new string('s', 1000) + "\"");
            Endpoint.Local.Put(prefix + ":big_segments_user", "hash", "\"included\":{\"SS\":[" + string.Join(",", segments) + "]}");
            Child child = Child.Run("ProcessTests.Grow", Child.WithLibrary, Endpoint.Local.Url.OriginalString, prefix).Succeeded();
            Check.True(long.Parse(child.Output) < 40000, child.Output + " kB more");
        }

        /// <summary>What runs in an application domain of its own.</summary>
        public sealed class Guest : MarshalByRefObject
        {
            public void Use(string local, string faults, string prefix)
            {
                FlagStore waiting = FlagStore.Open(Options(faults, prefix));
                for (int call = 0; call < 50; call++) waiting.GetAsync("features", "flag");
                using (FlagStore store = FlagStore.Open(Options(local, prefix))) EveryCall(store, 1);
            }
        }

        /// <summary>Unloads domains in which 50 calls wait for an answer that never comes, and goes on using the library.</summary>
        public static void Unload(string[] arguments)
        {
            for (int round = 0; round < 3; round++)
            {
                AppDomain domain = AppDomain.CreateDomain("guest");
                var guest = (Guest)domain.CreateInstanceAndUnwrap(typeof(Guest).Assembly.FullName, typeof(Guest).FullName);
                guest.Use(arguments[0], arguments[2], arguments[1] + round);
                AppDomain.Unload(domain);
                EveryCall(arguments);
            }
        }

        [Test]
        public void AnApplicationDomainMayGoWithCallsUnderWay()
        {
            if (!Child.OnMono) throw new SkippedException("this .NET has no application domains to unload");
            Endpoint.Faults.EachRequest("\"black_hole\"");
            Child child = Child.Run(
                "ProcessTests.Unload", Child.WithLibrary,
                Endpoint.Local.Url.OriginalString, Endpoint.NewPrefix(), Endpoint.Faults.Url.OriginalString);
            Endpoint.Faults.Reset();
            Check.Equal("", child.Succeeded().Output);
        }

        /// <summary>Ends while 16 threads are inside calls, half of them in ones that get no answer.</summary>
        public static void Exit(string[] arguments)
        {
            FlagStore store = FlagStore.Open(Options(arguments[0], arguments[1]));
            FlagStoreOptions patient = Options(arguments[2], arguments[1]);
            // Mono waits at its end for every thread that is inside of C, whatever library it is in: there for two seconds.
            patient.Timeout = patient.AttemptTimeout = Child.OnMono ? TimeSpan.FromSeconds(2) : TimeSpan.FromMinutes(5);
            FlagStore waiting = FlagStore.Open(patient);
            store.Upsert("features", "flag", new Item(1, "payload"));
            int rounds = 0;
            using (var started = new Barrier(17))
            {
                for (int number = 0; number < 16; number++)
                {
                    FlagStore used = number % 2 == 0 ? store : waiting;
                    new Thread(() =>
                    {
                        started.SignalAndWait();
                        while (true)
                        {
                            Task<Item>[] calls = Enumerable.Range(0, 8).Select(call => used.GetAsync("features", "flag")).ToArray();
                            used.Get("features", "flag");
                            Task.WaitAll(calls);
                            Interlocked.Increment(ref rounds);
                        }
                    }) { IsBackground = arguments[3] == "background" }.Start();
                }
                started.SignalAndWait();
                // Until no thread is being started any more: that and the end of the process are too much at once for Mono.
                Check.Comes(() => Volatile.Read(ref rounds) >= 200, "200 rounds");
                if (arguments[3] == "background") return;
                Environment.Exit(7);
            }
        }

        [Test]
        public void TheProcessEndsWithCallsUnderWay()
        {
            Endpoint.Faults.EachRequest("\"black_hole\"");
            foreach (string how in new[] { "exit", "background" })
            {
                for (int round = 0; round < 3; round++)
                {
                    Child child = Child.Run(
                        "ProcessTests.Exit", Child.WithLibrary,
                        Endpoint.Local.Url.OriginalString, Endpoint.NewPrefix(), Endpoint.Faults.Url.OriginalString, how);
                    Check.Equal((how == "exit" ? 7 : 0) + ": ", child.Status + ": " + child.Output);
                }
            }
            Endpoint.Faults.Reset();
        }
    }
}
