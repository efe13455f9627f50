using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>What goes wrong between the library and DynamoDB: the exception, and what its message tells whom.</summary>
    public sealed class ErrorsTests : IDisposable
    {
        private static readonly Item Item = new Item(1, "{\"key\":\"p4yl0ad\"}");

        private readonly Endpoint faults = Endpoint.Faults;
        private readonly FlagStore store;

        public ErrorsTests()
        {
            FlagStoreOptions options = faults.Options(Endpoint.NewPrefix());
            options.Shared = false;
            options.Timeout = options.AllTimeout = options.InitTimeout = TimeSpan.FromMilliseconds(400);
            store = FlagStore.Open(options);
        }

        public void Dispose()
        {
            store.Dispose();
            faults.Reset();
        }

        [Test]
        public void WhatDynamoDbRefusesIsToldApart()
        {
            var configuration = new Dictionary<string, string>
            {
                { "AccessDeniedException", "ACCESS_DENIED" },
                { "UnrecognizedClientException", "INVALID_CREDENTIALS" },
                { "InvalidSignatureException", "INVALID_CREDENTIALS" },
                { "ExpiredTokenException", "EXPIRED_CREDENTIALS" },
                { "ResourceNotFoundException", "TABLE_NOT_FOUND" },
                { "ValidationException", "REJECTED" },
            };
            foreach (KeyValuePair<string, string> refusal in configuration)
            {
                faults.EachRequest("{\"do\":\"refuse\",\"type\":\"" + refusal.Key + "\"}");
                Check.Fails(refusal.Value, false, () => store.Upsert("features", "flag", Item));
                Check.Fails(refusal.Value, false, () => store.Get("features", "flag"));
                Check.Fails(refusal.Value, false, () => Check.Result(store.GetAsync("features", "flag")));
            }
        }

        [Test]
        public void WhatMayPassIsRetriable()
        {
            var passing = new Dictionary<string, string>
            {
                { "{\"do\":\"throttle\"}", "THROTTLED" },
                { "{\"do\":\"fault\"}", "SERVICE" },
                { "{\"do\":\"reset\"}", "CONNECTION" },
                { "{\"do\":\"garbage\"}", "UNEXPECTED_RESPONSE" },
                { "{\"do\":\"black_hole\"}", "TIMEOUT" },
                { "{\"do\":\"echo\",\"quote\":\"credentials\",\"type\":\"ThrottlingException\"}", "THROTTLED" },
            };
            foreach (KeyValuePair<string, string> fault in passing)
            {
                faults.EachRequest(fault.Key);
                Check.Fails(fault.Value, true, () => store.Get("features", "flag"));
                Check.Fails(fault.Value, true, () => Check.Result(store.UpsertAsync("features", "flag", Item)));
            }
        }

        [Test]
        public void EveryCallEndsAtItsDeadline()
        {
            faults.EachRequest("{\"do\":\"black_hole\"}");
            var data = new[] { new ItemCollection("features", new Dictionary<string, Item> { { "flag", Item } }) };
            var calls = new Action[]
            {
                () => store.Get("features", "flag"),
                () => store.GetAll("features"),
                () => store.Upsert("features", "flag", Item),
                () => store.Init(data),
                () => store.InitJson("{\"flags\":{\"a\":{\"version\":1}}}"),
                () => store.Initialized(),
                () => store.BigSegmentsMetadata(),
                () => store.BigSegmentsMembership("hash"),
                () => Check.Result(store.GetAsync("features", "flag")),
                () => Check.Result(store.GetAllAsync("features")),
                () => Check.Result(store.UpsertAsync("features", "flag", Item)),
                () => Check.Result(store.InitAsync(data)),
                () => Check.Result(store.InitializedAsync()),
                () => Check.Result(store.BigSegmentsMetadataAsync()),
                () => Check.Result(store.BigSegmentsMembershipAsync("hash")),
            };
            foreach (Action call in calls)
            {
                Stopwatch watch = Stopwatch.StartNew();
                Check.Fails("TIMEOUT", true, call);
                Check.True(watch.ElapsedMilliseconds >= 300 && watch.ElapsedMilliseconds < 5000, watch.Elapsed);
            }
            Check.True(!store.Available());
            Check.True(!Check.Result(store.AvailableAsync()));
        }

        [Test]
        public void ClosingDoesNotDisturbTheCallsInFlight()
        {
            faults.Tell("/script", "{\"rules\":[{\"operation\":\"GetItem\",\"do\":\"hold\"}]}");
            FlagStoreOptions options = faults.Options(Endpoint.NewPrefix());
            options.Shared = false;
            FlagStore patient = FlagStore.Open(options);
            Task<Item> asynchronous = patient.GetAsync("features", "flag");
            Task<Item> blocking = Task.Factory.StartNew(() => patient.Get("features", "other"), TaskCreationOptions.LongRunning);
            faults.Tell("/wait", "{\"count\":2,\"action\":\"hold\"}");
            patient.Dispose();
            faults.Tell("/release");
            Check.Equal(null, Check.Result(asynchronous));
            Check.Equal(null, Check.Result(blocking));
            Check.Fails("INVALID_HANDLE", false, () => patient.Get("features", "flag"));
        }

        [Test]
        public void AnInterruptedThreadKeepsItsInterrupt()
        {
            faults.EachRequest("{\"do\":\"black_hole\"}");
            Exception seen = null;
            var thread = new Thread(() =>
            {
                try
                {
                    Check.Fails("TIMEOUT", true, () => store.Get("features", "flag"));
                    Thread.Sleep(Check.Patience);
                }
                catch (Exception error)
                {
                    seen = error;
                }
            }) { IsBackground = true };
            thread.Start();
            faults.Tell("/wait", "{\"count\":1,\"action\":\"black_hole\"}");
            thread.Interrupt();
            Check.True(thread.Join(Check.Patience));
            Check.True(seen is ThreadInterruptedException, seen);
        }

        [Test]
        public void MessagesNameTheItemAndTheTable()
        {
            faults.EachRequest("{\"do\":\"refuse\",\"type\":\"ExpiredTokenException\"}");
            string message = Check.Fails("EXPIRED_CREDENTIALS", false, () => store.Upsert("features", "flag", Item)).Message;
            Check.Contains("\"flag\" of kind \"features\"", message);
            Check.Contains("table \"flags\"", message);
        }
    }
}
