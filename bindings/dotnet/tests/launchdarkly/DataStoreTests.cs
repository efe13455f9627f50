using System;
using System.Linq;
using System.Threading;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.Tests
{
    /// <summary>
    /// What LaunchDarkly's tests of data stores ask of every one: payloads that are no JSON, kinds of its own, several
    /// instances on one table.
    /// </summary>
    public sealed class DataStoreTests : IDisposable
    {
        private static readonly DataKind Kind1 = new DataKind("test-items", null, AnyText);
        private static readonly DataKind Kind2 = new DataKind("other-items", null, AnyText);

        private readonly string prefix = Endpoint.NewPrefix();
        private readonly IPersistentDataStore store;

        public DataStoreTests()
        {
            store = Store(Endpoint.Local, prefix);
        }

        public void Dispose() => store.Dispose();

        private static ItemDescriptor AnyText(string payload) => new ItemDescriptor(int.Parse(payload.Split(':')[1]), payload);

        // The format is the suite's: what a store must not look into.
        private static SerializedItemDescriptor Entity(string key, int version, string value) =>
            value == null ? Deleted(version, "$DELETED:" + version) : Live(version, key + ":" + version + ":" + value);

        /// <summary>Either form will do: a tombstone in a format of the kind's own is told apart by who made it.</summary>
        private static void Gone(int version, SerializedItemDescriptor? item)
        {
            Check.Equal(version, item.Value.Version);
            Check.True(item.Value.Deleted || item.Value.SerializedItem == "$DELETED:" + version, item.Value.SerializedItem);
        }

        private void InitTwo() => store.Init(Data(Kind1, Of("first", Entity("first", 5, "a")), Of("second", Entity("second", 5, "b"))));

        [Test]
        public void IsNotInitializedBeforeAnInit() => Check.True(!store.Initialized());

        [Test]
        public void IsInitializedAfterAnInitOfNothing()
        {
            store.Init(new FullDataSet<SerializedItemDescriptor>(
                Enumerable.Empty<System.Collections.Generic.KeyValuePair<DataKind, KeyedItems<SerializedItemDescriptor>>>()));
            Check.True(store.Initialized());
        }

        [Test]
        public void AnotherInstanceSeesTheInit()
        {
            using (IPersistentDataStore other = Store(Endpoint.Local, prefix))
            {
                Check.True(!other.Initialized());
                InitTwo();
                Check.True(other.Initialized());
                Same(Entity("first", 5, "a"), other.Get(Kind1, "first"));
            }
        }

        [Test]
        public void AnInitReplacesAllData()
        {
            store.Init(new FullDataSet<SerializedItemDescriptor>(new[]
            {
                Kind(Kind1, Of("first", Entity("first", 5, "a")), Of("second", Entity("second", 5, "b"))),
                Kind(Kind2, Of("other", Entity("other", 5, "c"))),
            }));
            SerializedItemDescriptor next = Entity("second", 6, "b");
            store.Init(new FullDataSet<SerializedItemDescriptor>(new[] { Kind(Kind1, Of("second", next)), Kind(Kind2) }));
            Check.True(!store.Get(Kind1, "first").HasValue);
            Same(next, store.Get(Kind1, "second"));
            Check.True(!store.Get(Kind2, "other").HasValue);
        }

        [Test]
        public void AMissingItemIsNull()
        {
            InitTwo();
            Check.True(!store.Get(Kind1, "nobody").HasValue);
            Check.True(!store.Get(Kind2, "first").HasValue);
        }

        [Test]
        public void AllItemsOfAKindAreRead()
        {
            store.Init(new FullDataSet<SerializedItemDescriptor>(new[]
            {
                Kind(Kind1, Of("first", Entity("first", 5, "a")), Of("gone", Entity("gone", 3, null))),
                Kind(Kind2, Of("other", Entity("other", 5, "c"))),
            }));
            var items = store.GetAll(Kind1).Items.ToDictionary(item => item.Key, item => item.Value);
            Check.Equal(2, items.Count);
            Same(Entity("first", 5, "a"), items["first"]);
            Gone(3, items["gone"]);
            All(store, Kind2, Of("other", Entity("other", 5, "c")));
        }

        [Test]
        public void OnlyANewerVersionIsWritten()
        {
            InitTwo();
            foreach (string value in new[] { "changed", null })
            {
                foreach (int version in new[] { 4, 5 })
                {
                    Check.True(!store.Upsert(Kind1, "first", Entity("first", version, value)));
                    Same(Entity("first", 5, "a"), store.Get(Kind1, "first"));
                }
            }
            Check.True(store.Upsert(Kind1, "first", Entity("first", 6, "changed")));
            Same(Entity("first", 6, "changed"), store.Get(Kind1, "first"));
            Check.True(store.Upsert(Kind1, "first", Entity("first", 7, null)));
            Gone(7, store.Get(Kind1, "first"));
            Check.True(!store.Upsert(Kind1, "first", Entity("first", 7, "late")));
            Gone(7, store.Get(Kind1, "first"));
        }

        [Test]
        public void WhatIsUnknownMayBeAddedOrDeleted()
        {
            InitTwo();
            Check.True(store.Upsert(Kind1, "new", Entity("new", 1, "n")));
            Same(Entity("new", 1, "n"), store.Get(Kind1, "new"));
            Check.True(store.Upsert(Kind1, "never", Entity("never", 99, null)));
            Gone(99, store.Get(Kind1, "never"));
        }

        [Test]
        public void StoresWithOtherPrefixesAreIndependent()
        {
            using (IPersistentDataStore other = Store(Endpoint.Local, prefix + "2"))
            {
                store.Init(Data(Kind1, Of("a", Entity("a", 1, "1a")), Of("b", Entity("b", 1, "1b"))));
                Check.True(!other.Initialized());
                other.Init(Data(Kind1, Of("a", Entity("a", 99, "2a")), Of("bb", Entity("bb", 1, "2b"))));
                store.Upsert(Kind1, "c", Entity("c", 1, "1c"));
                other.Upsert(Kind1, "c", Entity("c", 2, "2c"));
                All(store, Kind1, Of("a", Entity("a", 1, "1a")), Of("b", Entity("b", 1, "1b")), Of("c", Entity("c", 1, "1c")));
                All(other, Kind1, Of("a", Entity("a", 99, "2a")), Of("bb", Entity("bb", 1, "2b")), Of("c", Entity("c", 2, "2c")));
            }
        }

        /// <summary>Writes with another client while a write is on its way to the table.</summary>
        private bool Overtaken(int ours, params int[] theirs)
        {
            using (IPersistentDataStore other = Store(Endpoint.Local, prefix))
            using (IPersistentDataStore slow = Store(Endpoint.Faults, prefix))
            {
                store.Upsert(Kind1, "key", Entity("key", 1, "start"));
                Endpoint.Faults.Tell("/script", "{\"rules\":[{\"operation\":\"PutItem\",\"do\":\"hold\"}]}");
                bool written = false;
                var writing = new Thread(() => written = slow.Upsert(Kind1, "key", Entity("key", ours, "ours"))) { IsBackground = true };
                writing.Start();
                Endpoint.Faults.Tell("/wait", "{\"count\":1,\"action\":\"hold\"}");
                foreach (int version in theirs) Check.True(other.Upsert(Kind1, "key", Entity("key", version, "theirs")));
                Endpoint.Faults.Tell("/release");
                Check.True(writing.Join(Check.Patience));
                Endpoint.Faults.Reset();
                return written;
            }
        }

        [Test]
        public void AWriteWinsOverLowerVersionsThatOvertakeIt()
        {
            Check.True(Overtaken(10, 2, 3, 4));
            Same(Entity("key", 10, "ours"), store.Get(Kind1, "key"));
        }

        [Test]
        public void AWriteLosesAgainstAHigherVersionThatOvertakesIt()
        {
            Check.True(!Overtaken(2, 3));
            Same(Entity("key", 3, "theirs"), store.Get(Kind1, "key"));
        }

        [Test]
        public void TheTableAnswers() => Check.True(store.IsStoreAvailable());
    }
}
