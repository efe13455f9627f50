using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>Calls that give a task.</summary>
    public sealed class AsyncTests : IDisposable
    {
        private readonly string prefix = Endpoint.NewPrefix();
        private readonly FlagStore store;

        public AsyncTests()
        {
            store = Endpoint.Local.Open(prefix);
        }

        public void Dispose() => store.Dispose();

        [Test]
        public async Task EveryCallAnswersAsItsBlockingForm()
        {
            Check.True(!await store.InitializedAsync());
            Check.Equal(null, await store.GetAsync("features", "é\0\U0001F680"));
            var item = new Item(3, "päyload\0\U0001F680");
            Check.True((await store.UpsertAsync("features", "é\0\U0001F680", item)).Written);
            Check.Equal(item, await store.GetAsync("features", "é\0\U0001F680"));
            UpsertResult refused = await store.UpsertAsync("features", "é\0\U0001F680", new Item(3, "other"));
            Check.Equal(UpsertOutcome.NewerExists, refused.Outcome);
            Check.Equal(item, refused.Stored);
            Check.Equal(UpsertOutcome.TooLarge, (await store.UpsertAsync("features", "huge", new Item(1, new string('x', 400000)))).Outcome);
            Check.True((await store.DeleteAsync("features", "é\0\U0001F680", 4)).Written);
            Check.True((await store.GetAllAsync("features")).Single().Value.Deleted);
            var items = new Dictionary<string, Item> { { "a", new Item(1, "a") }, { "b", new Item(1, "b") } };
            InitReport report = await store.InitAsync(new[] { new ItemCollection("features", items) });
            Check.Sequence(new[] { 2L, 1L }, new[] { report.Written, report.Deleted });
            Check.Same(items, await store.GetAllAsync("features"));
            Check.True(await store.InitializedAsync());
            Check.Equal(1L, (await store.InitJsonAsync("{\"flags\":{\"c\":{\"version\":1}}}")).Written);
        }

        [Test]
        public async Task BigSegmentsAreRead()
        {
            Check.Equal(null, await store.BigSegmentsMetadataAsync());
            Check.Equal(null, await store.BigSegmentsMembershipAsync("hash"));
            string metadata = prefix + ":big_segments_metadata";
            Endpoint.Local.Put(metadata, metadata, "\"synchronizedOn\":{\"N\":\"1700000000123\"}");
            Endpoint.Local.Put(
                prefix + ":big_segments_user", "hash",
                "\"included\":{\"SS\":[\"é.g1\",\"both.g1\"]},\"excluded\":{\"SS\":[\"out.g2\",\"both.g1\"]}");
            Check.Equal(1700000000123L, await store.BigSegmentsMetadataAsync());
            Check.Same(
                new Dictionary<string, bool> { { "é.g1", true }, { "both.g1", true }, { "out.g2", false } },
                await store.BigSegmentsMembershipAsync("hash"));
            Endpoint.Local.Put(metadata, metadata, "\"synchronizedOn\":{\"N\":\"1.5\"}");
            Check.Fails("UNEXPECTED_RESPONSE", true, () => Check.Result(store.BigSegmentsMetadataAsync()));
        }

        [Test]
        public async Task TheTableAnswersOrNot()
        {
            Check.True(await store.AvailableAsync());
            var missing = new FlagStoreOptions("no-such-table")
            {
                Endpoint = Endpoint.Local.Url, Region = "us-east-1", AccessKeyId = "test", SecretAccessKey = Endpoint.Secret,
            };
            var told = new List<StoreEvent>();
            missing.OnEvent = told.Add;
            FlagStore other = FlagStore.Open(missing);
            Check.True(!await other.AvailableAsync());
            Check.Equal(EventLevel.Debug, told.Last().Level);
            Check.Contains("\"no-such-table\" is not available", told.Last().Message);
            other.Dispose();
            Check.True(!await other.AvailableAsync());
            Check.Contains("is closed", told.Last().Message);
            Check.True(other.AvailableAsync(new CancellationToken(true)).IsCanceled);
        }

        [Test]
        public void WhatIsCachedIsThereAtOnce()
        {
            FlagStoreOptions options = Endpoint.Local.Options(prefix);
            options.Shared = false;
            options.CacheTtl = TimeSpan.FromTicks(-1);
            using (FlagStore cached = FlagStore.Open(options))
            {
                var item = new Item(1, "p");
                store.Upsert("features", "flag", item);
                Check.Equal(item, Check.Result(cached.GetAsync("features", "flag")));
                Check.Equal(null, Check.Result(cached.GetAsync("features", "nothing")));
                IReadOnlyDictionary<string, double> before = cached.Statistics();
                Check.Sequence(new[] { 0.0, 2.0, 2.0 }, new[] { before["hits"], before["misses"], before["requests"] });
                for (int call = 0; call < 50; call++)
                {
                    Task<Item> there = cached.GetAsync("features", "flag");
                    Check.True(there.IsCompleted, "call " + call);
                    Check.Equal(item, there.Result);
                    Task<Item> nothing = cached.GetAsync("features", "nothing");
                    Check.True(nothing.IsCompleted, "call " + call);
                    Check.Equal(null, nothing.Result);
                }
                IReadOnlyDictionary<string, double> after = cached.Statistics();
                Check.Sequence(new[] { 100.0, 2.0, 2.0 }, new[] { after["hits"], after["misses"], after["requests"] });
                Check.True(cached.GetAsync("features", "flag", new CancellationToken(true)).IsCanceled);
                Check.Fails("EMPTY_KEY", false, () => Check.Result(cached.GetAsync("features", "")));
                store.Upsert("features", "flag", new Item(2, "newer"));
                cached.ClearCache();
                Check.Equal(2L, Check.Result(cached.GetAsync("features", "flag")).Version);
                cached.Dispose();
                Check.Fails("INVALID_HANDLE", false, () => Check.Result(cached.GetAsync("features", "flag")));
            }
        }

        [Test]
        public void ErrorsAreTheTasks()
        {
            Check.Fails("EMPTY_KEY", false, () => Check.Result(store.GetAsync("features", "")));
            Check.Fails("EMPTY_KIND", false, () => Check.Result(store.GetAllAsync("")));
            Check.Fails("INVALID_VERSION", false, () => Check.Result(store.UpsertAsync("features", "flag", new Item(-1, "x"))));
            Check.Fails("INVALID_JSON", false, () => Check.Result(store.InitJsonAsync("p4yl0ad")));
            var twice = new ItemCollection("features", new Dictionary<string, Item>());
            Check.Fails("DUPLICATE_KEY", false, () => Check.Result(store.InitAsync(new[] { twice, twice })));
            Check.Fails("EMPTY_KEY", false, () => Check.Result(store.BigSegmentsMembershipAsync("")));
            Check.Fails("KEY_TOO_LONG", false, () => Check.Result(store.BigSegmentsMembershipAsync(new string('h', 1025))));
            // What is wrong before the library sees it is thrown at once.
            Check.Fails("INVALID_UTF8", false, () => store.GetAsync("features", "\ud800"));
            Check.Fails("INVALID_UTF8", false, () => store.BigSegmentsMembershipAsync("\ud800"));
            Check.Contains("contextHash", Check.Throws<ArgumentNullException>(() => store.BigSegmentsMembershipAsync(null)).ParamName);
            store.Dispose();
            Check.Fails("INVALID_HANDLE", false, () => Check.Result(store.BigSegmentsMetadataAsync()));
            Check.Fails("INVALID_HANDLE", false, () => Check.Result(store.BigSegmentsMembershipAsync("hash")));
        }

        [Test]
        public void WaitingCallsHoldNoThread()
        {
            using (FlagStore held = Endpoint.Faults.Open(prefix))
            {
                HoldNoThread(number => held.GetAsync("features", "flag-" + number));
                HoldNoThread(number => held.AvailableAsync());
                HoldNoThread(number => held.BigSegmentsMetadataAsync());
                HoldNoThread(number => held.BigSegmentsMembershipAsync("hash-" + number));
            }
        }

        /// <summary>Has a hundred requests under way at the same time, and counts the threads.</summary>
        internal static void HoldNoThread(Func<int, Task> call)
        {
            Endpoint.Faults.EachRequest("\"hold\"");
            List<Task> waiting = Enumerable.Range(0, 100).Select(call).ToList();
            Endpoint.Faults.Tell("/wait", "{\"count\":100,\"action\":\"hold\",\"timeout_ms\":60000}");
            Check.True(!waiting.Any(under => under.IsCompleted));
            ThreadPool.GetMaxThreads(out int most, out int ports);
            ThreadPool.GetAvailableThreads(out int available, out ports);
            Check.True(most - available < 20, most - available + " threads of the pool are busy");
            int threads = Directory.GetDirectories("/proc/self/task").Length;
            Check.True(threads < 80, threads + " threads");
            Endpoint.Faults.Tell("/release");
            foreach (Task under in waiting)
            {
                Check.Ends(under);
                under.GetAwaiter().GetResult();
            }
            Endpoint.Faults.Reset();
        }

        [Test]
        public void AHundredCallsWithADelayAreUnderWayTogether()
        {
            using (FlagStore delayed = Endpoint.Faults.Open(prefix))
            {
                Endpoint.Faults.EachRequest("{\"do\":\"delay\",\"ms\":5}");
                Task<Item>[] calls = Enumerable.Range(0, 100).Select(number => delayed.GetAsync("features", "flag-" + number)).ToArray();
                Check.True(calls.All(call => Check.Result(call) == null));
                Check.True(Enumerable.Range(0, 100).Select(number => delayed.BigSegmentsMembershipAsync("hash-" + number)).ToArray()
                    .All(call => Check.Result(call) == null));
                Endpoint.Faults.Reset();
            }
        }

        [Test]
        public void WhatAwaitsATaskDelaysNoOtherCall()
        {
            // Else the pool takes its time to add threads to those that are blocked.
            ThreadPool.SetMinThreads(32, 32);
            // Held until all are awaited: what awaits a task that has ended runs on the thread that says so, which is this one.
            Endpoint.Faults.EachRequest("\"hold\"");
            using (FlagStore held = Endpoint.Faults.Open(prefix))
            using (var blocked = new ManualResetEventSlim())
            using (var arrived = new CountdownEvent(4))
            {
                Task[] slow = Enumerable.Range(0, 4).Select(number => held.GetAsync("features", "flag-" + number).ContinueWith(
                    ended =>
                    {
                        arrived.Signal();
                        blocked.Wait(Check.Patience);
                    },
                    TaskContinuationOptions.ExecuteSynchronously)).ToArray();
                Endpoint.Faults.Tell("/wait", "{\"count\":4,\"action\":\"hold\"}");
                Endpoint.Faults.Tell("/release");
                Check.True(arrived.Wait(Check.Patience));
                // More continuations block than the library has threads; it answers all the same.
                Check.Equal(null, Check.Result(store.GetAsync("features", "other")));
                blocked.Set();
                Array.ForEach(slow, Check.Ends);
                Endpoint.Faults.Reset();
            }
        }

        [Test]
        public void WhoGetsEventsDelaysNoOtherCall()
        {
            using (var blocked = new ManualResetEventSlim())
            using (var arrived = new ManualResetEventSlim())
            {
                FlagStoreOptions options = Endpoint.Local.Options(prefix);
                options.Shared = false;
                options.OnEvent = happened =>
                {
                    arrived.Set();
                    blocked.Wait();
                };
                using (FlagStore telling = FlagStore.Open(options))
                {
                    Task<UpsertResult> slow = telling.UpsertAsync("features", "huge", new Item(1, new string('x', 400000)));
                    try
                    {
                        Check.True(arrived.Wait(Check.Patience));
                        Check.Equal(null, Check.Result(store.GetAsync("features", "other")));
                        Check.True(!slow.IsCompleted);
                    }
                    finally
                    {
                        blocked.Set();
                    }
                    Check.Equal(UpsertOutcome.TooLarge, Check.Result(slow).Outcome);
                }
            }
        }

        [Test]
        public void BlockingCallsMayFollowInAContinuation()
        {
            Task<Item> second = store.GetAsync("features", "flag").ContinueWith(
                ended => store.Get("features", "flag"), TaskContinuationOptions.ExecuteSynchronously);
            Check.Equal(null, Check.Result(second));
        }

        [Test]
        public void WaitingCanBeGivenUp()
        {
            using (FlagStore held = Endpoint.Faults.Open(prefix))
            using (var giveUp = new CancellationTokenSource())
            {
                Endpoint.Faults.Tell("/script", "{\"rules\":[{\"operation\":\"GetItem\",\"do\":\"hold\"}]}");
                Task<Item> waiting = held.GetAsync("features", "flag", giveUp.Token);
                Endpoint.Faults.Tell("/wait", "{\"count\":1,\"action\":\"hold\"}");
                giveUp.Cancel();
                Check.Ends(waiting);
                Check.True(waiting.IsCanceled);
                Endpoint.Faults.Tell("/release");
                Endpoint.Faults.Reset();
                Check.Equal(null, Check.Result(held.GetAsync("features", "flag")));
                Check.True(held.GetAsync("features", "flag", giveUp.Token).IsCanceled);
            }
        }

        [Test]
        public void ACallIsNotLostWithItsStore()
        {
            Endpoint.Faults.Tell("/script", "{\"rules\":[{\"operation\":\"GetItem\",\"do\":\"hold\"}]}");
            Task<Item> waiting = Abandoned();
            Endpoint.Faults.Tell("/wait", "{\"count\":1,\"action\":\"hold\"}");
            for (int round = 0; round < 3; round++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Endpoint.Faults.Tell("/release");
            Check.Equal(null, Check.Result(waiting));
            Endpoint.Faults.Reset();
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private Task<Item> Abandoned() => Endpoint.Faults.Open(prefix).GetAsync("features", "flag");
    }
}
