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
        public void ErrorsAreTheTasks()
        {
            Check.Fails("EMPTY_KEY", false, () => Check.Result(store.GetAsync("features", "")));
            Check.Fails("EMPTY_KIND", false, () => Check.Result(store.GetAllAsync("")));
            Check.Fails("INVALID_VERSION", false, () => Check.Result(store.UpsertAsync("features", "flag", new Item(-1, "x"))));
            Check.Fails("INVALID_JSON", false, () => Check.Result(store.InitJsonAsync("p4yl0ad")));
            var twice = new ItemCollection("features", new Dictionary<string, Item>());
            Check.Fails("DUPLICATE_KEY", false, () => Check.Result(store.InitAsync(new[] { twice, twice })));
            // What is wrong before the library sees it is thrown at once.
            Check.Fails("INVALID_UTF8", false, () => store.GetAsync("features", "\ud800"));
        }

        [Test]
        public void WaitingCallsHoldNoThread()
        {
            using (FlagStore held = Endpoint.Faults.Open(prefix))
            {
                Endpoint.Faults.Tell("/script", "{\"rules\":[{\"operation\":\"GetItem\",\"do\":\"hold\"}]}");
                List<Task<Item>> waiting = Enumerable.Range(0, 100).Select(number => held.GetAsync("features", "flag-" + number)).ToList();
                Endpoint.Faults.Tell("/wait", "{\"count\":100,\"action\":\"hold\",\"timeout_ms\":60000}");
                Check.True(!waiting.Any(call => call.IsCompleted));
                ThreadPool.GetMaxThreads(out int most, out int ports);
                ThreadPool.GetAvailableThreads(out int available, out ports);
                Check.True(most - available < 20, most - available + " threads of the pool are busy");
                int threads = Directory.GetDirectories("/proc/self/task").Length;
                Check.True(threads < 80, threads + " threads");
                Endpoint.Faults.Tell("/release");
                Check.True(waiting.All(call => Check.Result(call) == null));
                Endpoint.Faults.Reset();
            }
        }

        [Test]
        public void AHundredCallsWithADelayAreUnderWayTogether()
        {
            using (FlagStore delayed = Endpoint.Faults.Open(prefix))
            {
                Endpoint.Faults.EachRequest("{\"do\":\"delay\",\"ms\":5}");
                Task<Item>[] calls = Enumerable.Range(0, 100).Select(number => delayed.GetAsync("features", "flag-" + number)).ToArray();
                Check.True(calls.All(call => Check.Result(call) == null));
                Endpoint.Faults.Reset();
            }
        }

        [Test]
        public void WhatAwaitsATaskDelaysNoOtherCall()
        {
            // Else the pool takes its time to add threads to those that are blocked.
            ThreadPool.SetMinThreads(32, 32);
            using (var blocked = new ManualResetEventSlim())
            using (var arrived = new CountdownEvent(4))
            {
                Task[] slow = Enumerable.Range(0, 4).Select(number => store.GetAsync("features", "flag").ContinueWith(
                    ended =>
                    {
                        arrived.Signal();
                        blocked.Wait(Check.Patience);
                    },
                    TaskContinuationOptions.ExecuteSynchronously)).ToArray();
                Check.True(arrived.Wait(Check.Patience));
                // More continuations block than the library has threads; it answers all the same.
                Check.Equal(null, Check.Result(store.GetAsync("features", "other")));
                blocked.Set();
                Array.ForEach(slow, Check.Ends);
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
