using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text.RegularExpressions;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>The calls of a store, one by one.</summary>
    public sealed class StoreTests : IDisposable
    {
        private readonly string prefix = Endpoint.NewPrefix();
        private readonly List<StoreEvent> events = new List<StoreEvent>();
        private readonly FlagStore store;

        public StoreTests()
        {
            FlagStoreOptions options = Endpoint.Local.Options(prefix);
            options.OnEvent = happened => { lock (events) events.Add(happened); };
            store = FlagStore.Open(options);
        }

        public void Dispose() => store.Dispose();

        private static ItemCollection Features(params Tuple<string, Item>[] items) => Kind("features", items);

        private static ItemCollection Kind(string kind, params Tuple<string, Item>[] items) =>
            new ItemCollection(kind, items.Select(item => new KeyValuePair<string, Item>(item.Item1, item.Item2)));

        private static Tuple<string, Item> Of(string key, Item item) => Tuple.Create(key, item);

        private static KeyValuePair<string, Item> Pair(string key, Item item) => new KeyValuePair<string, Item>(key, item);

        [Test]
        public void AnItemComesBackAsItWasWritten()
        {
            Check.Equal(null, store.Get("features", "flag"));
            UpsertResult written = store.Upsert("features", "flag", new Item(7, "not JSON"));
            Check.True(written.Written && written.Stored == null);
            Check.Equal(new Item(7, "not JSON"), store.Get("features", "flag"));
        }

        [Test]
        public void AnyTextIsAKeyAndAPayload()
        {
            string[] texts =
            {
                "é", "日本語", "\U0001F680 rocket", "with \0 NUL", "\"quoted\" \\ and\nlines", "$deleted", " ", "{0}", "\u0001", "\uFEFFmark",
                new string('k', 1024),
            };
            foreach (string kind in new[] { "features", "invented \U0001F680\0kind" })
            {
                foreach (string text in texts)
                {
                    Check.True(store.Upsert(kind, text, new Item(1, "payload of " + text)).Written);
                    Check.Equal(new Item(1, "payload of " + text), store.Get(kind, text));
                }
                Check.Same(texts.Select(text => Pair(text, new Item(1, "payload of " + text))), store.GetAll(kind));
            }
        }

        [Test]
        public void WhatUtf8CannotHoldIsRefused()
        {
            foreach (string wrong in new[] { "\ud800", "a\udc00", "\udc00\ud800" })
            {
                Check.Contains("\"key\"", Check.Fails("INVALID_UTF8", false, () => store.Get("features", wrong)).Message);
                Check.Fails("INVALID_UTF8", false, () => store.Upsert("features", "flag", new Item(1, wrong)));
                Check.Fails("INVALID_UTF8", false, () => store.Init(new[] { Features(Of("flag", new Item(1, wrong))) }));
                Check.Fails("INVALID_UTF8", false, () => store.InitJson(wrong));
            }
        }

        [Test]
        public void NullIsRefusedByName()
        {
            Check.Contains("kind", Check.Throws<ArgumentNullException>(() => store.Get(null, "flag")).ParamName);
            Check.Contains("key", Check.Throws<ArgumentNullException>(() => store.Get("features", null)).ParamName);
            Check.Contains("item", Check.Throws<ArgumentNullException>(() => store.Upsert("features", "flag", null)).ParamName);
            Check.Throws<ArgumentNullException>(() => store.Init(null));
            Check.Throws<ArgumentNullException>(() => store.Init(new[] { Features(Of("flag", null)) }));
            Check.Throws<ArgumentNullException>(() => FlagStore.Open(null));
        }

        [Test]
        public void TheNewerVersionWins()
        {
            store.Upsert("features", "flag", new Item(5, "five"));
            foreach (long version in new long[] { 4, 5 })
            {
                UpsertResult refused = store.Upsert("features", "flag", new Item(version, "other"));
                Check.Equal(UpsertOutcome.NewerExists, refused.Outcome);
                Check.Equal(new Item(5, "five"), refused.Stored);
            }
            Check.True(store.Upsert("features", "flag", new Item(long.MaxValue, "last")).Written);
            Check.Equal(long.MaxValue, store.Get("features", "flag").Version);
        }

        [Test]
        public void ADeletionIsATombstone()
        {
            store.Upsert("features", "flag", new Item(1, "one"));
            Check.True(store.Delete("features", "flag", 2).Written);
            Item deleted = store.Get("features", "flag");
            Check.True(deleted.Deleted && deleted.Payload == null && deleted.Version == 2);
            Check.Same(new[] { Pair("flag", Item.Tombstone(2)) }, store.GetAll("features"));
            Check.Equal(UpsertOutcome.NewerExists, store.Upsert("features", "flag", new Item(2, "two")).Outcome);
            Check.True(store.Upsert("features", "flag", new Item(3, "three")).Written);
        }

        [Test]
        public void AnInitReplacesTheKindsItNames()
        {
            store.Upsert("segments", "stays", new Item(1, "one"));
            Check.True(!store.Initialized());
            InitReport first = store.Init(new[]
            {
                Features(Of("a", new Item(1, "a1")), Of("b", Item.Tombstone(2)), Of("c", new Item(1, "c1"))),
                Kind("invented", Of("gone", Item.Tombstone(3))),
            });
            Check.Equal(4L, first.Written);
            Check.Equal(Item.Tombstone(3), store.Get("invented", "gone"));
            Check.True(store.Initialized());
            InitReport second = store.Init(new[] { Features(Of("a", new Item(2, "a2")), Of("c", new Item(1, "c1"))) });
            Check.Sequence(new[] { 1L, 1L, 0L, 0L }, new[] { second.Written, second.Unchanged, second.Deleted, second.KeptNewer });
            // A tombstone stays, since it stops late updates.
            Check.Same(
                new[] { Pair("a", new Item(2, "a2")), Pair("b", Item.Tombstone(2)), Pair("c", new Item(1, "c1")) },
                store.GetAll("features"));
            Check.Equal(1, store.GetAll("segments").Count);
            InitReport third = store.Init(new[] { Features(Of("a", new Item(1, "old")), Of("c", new Item(1, "c1"))) });
            Check.Equal(1L, third.KeptNewer);
            Check.Equal("a", third.Kept["newer"].First.Single().Value);
            Check.Equal(0L, store.Init(new ItemCollection[0]).Written);
            Check.Equal(2L, store.Init(new[] { Features() }).Deleted);
        }

        [Test]
        public void AnInitTakesTheJsonOfAnSdk()
        {
            string data = "{\"path\":\"/\",\"data\":{\"flags\":{\"f\":{\"key\":\"f\", \"version\":3}},"
                + "\"segments\":{\"s\":{\"version\":4,\"deleted\":true}}}}";
            Check.Equal(2L, store.InitJson(data).Written);
            Check.Equal(new Item(3, "{\"key\":\"f\", \"version\":3}"), store.Get("features", "f"));
            Check.Equal(Item.Tombstone(4), store.Get("segments", "s"));
            Check.Fails("INVALID_JSON", false, () => store.InitJson("p4yl0ad"));
        }

        [Test]
        public void WrongDataIsRefusedBeforeAnythingIsWritten()
        {
            Item good = new Item(1, "x");
            ItemCollection negative = Features(Of("good", good), Of("flag", new Item(-1, "x")));
            Check.Contains("flag", Check.Fails("INVALID_VERSION", false, () => store.Init(new[] { negative })).Message);
            Check.Fails("EMPTY_ITEM", false, () => store.Init(new[] { Features(Of("good", good), Of("flag", new Item(1, ""))) }));
            Check.Fails("EMPTY_ITEM", false, () => store.Upsert("features", "flag", new Item(1, null)));
            Check.Fails("DUPLICATE_KEY", false, () => store.Init(new[] { Features(Of("twice", good), Of("twice", good)) }));
            Check.Fails("DUPLICATE_KEY", false, () => store.Init(new[] { Features(), Features() }));
            Check.Fails("EMPTY_KEY", false, () => store.Get("features", ""));
            Check.Fails("EMPTY_KIND", false, () => store.GetAll(""));
            Check.Fails("KEY_TOO_LONG", false, () => store.Get("features", new string('k', 1025)));
            Check.Equal(0, store.GetAll("features").Count);
            Check.True(!store.Initialized());
        }

        [Test]
        public void AnInitReportsWhatItReplacedAndWhatItLeftOut()
        {
            store.Upsert("features", "flag", new Item(9, "newer"));
            InitReport report = store.Init(new[] { Features(Of("flag", new Item(1, "given")), Of("", new Item(1, "nameless"))) });
            Check.Equal(1L, report.Written);
            Check.Equal(0, report.Kept.Count);
            OneRow("not_initialised", "flag", report.Replaced);
            OneRow("empty_key", "", report.LeftOut);
            Check.Same(new[] { Pair("flag", new Item(1, "given")) }, store.GetAll("features"));
        }

        private static void OneRow(string reason, string key, IReadOnlyDictionary<string, InitReason> reasons)
        {
            Check.Sequence(new[] { reason }, reasons.Keys);
            Check.Equal(1L, reasons[reason].Count);
            Check.Sequence(new[] { new KeyValuePair<string, string>("features", key) }, reasons[reason].First);
        }

        [Test]
        public void WhatIsTooLargeIsLeftOutAndReported()
        {
            store.Upsert("features", "huge", new Item(1, "small"));
            Item huge = new Item(2, new string('x', 400000));
            Check.Equal(UpsertOutcome.TooLarge, store.Upsert("features", "huge", huge).Outcome);
            InitReport report = store.Init(new[] { Features(Of("huge", huge), Of("other", new Item(1, "o"))) });
            TooLargeItem left = report.TooLarge.Single();
            Check.Sequence(new[] { "features", "huge" }, new[] { left.Kind, left.Key });
            Check.True(left.Bytes > 400000, left.Bytes);
            Check.Equal(new Item(1, "small"), store.Get("features", "huge"));
            List<StoreEvent> errors = events.Where(happened => happened.Level == EventLevel.Error).ToList();
            Check.Equal(2, errors.Count);
            Check.Contains("\"huge\"", errors[0].Message);
            Check.Lacks("xxxx", errors[0].Message);
        }

        [Test]
        public void ALargeDataSetComesThrough()
        {
            List<KeyValuePair<string, Item>> items =
                Enumerable.Range(0, 1500).Select(number => Pair("flag-" + number, new Item(number, "ü" + new string('p', number)))).ToList();
            Check.Equal(1500L, store.Init(new[] { new ItemCollection("features", items) }).Written);
            Check.Same(items, store.GetAll("features"));
        }

        [Test]
        public void ABadRowIsLeftOutAndReported()
        {
            store.Upsert("features", "good", new Item(1, "good"));
            Endpoint.Local.Put(prefix + ":features", "bad", "\"version\":{\"N\":\"1\"},\"item\":{\"N\":\"5\"}");
            Check.Equal(1, store.GetAll("features").Count);
            Check.Contains("\"bad\"", events.Single(happened => happened.Level <= EventLevel.Warn).Message);
        }

        [Test]
        public void PrefixesAreSeparate()
        {
            using (FlagStore other = Endpoint.Local.Open(prefix + "-other"))
            {
                store.Init(new[] { Features(Of("flag", new Item(1, "here"))) });
                Check.True(!other.Initialized());
                Check.Equal(null, other.Get("features", "flag"));
                other.Init(new[] { Features(Of("own", new Item(1, "there"))) });
                Check.Same(new[] { Pair("flag", new Item(1, "here")) }, store.GetAll("features"));
            }
        }

        [Test]
        public void BigSegmentsAreRead()
        {
            Check.Equal(null, store.BigSegmentsMetadata());
            Check.Equal(null, store.BigSegmentsMembership("hash"));
            string metadata = prefix + ":big_segments_metadata";
            Endpoint.Local.Put(metadata, metadata, "\"synchronizedOn\":{\"N\":\"1700000000123\"}");
            Endpoint.Local.Put(
                prefix + ":big_segments_user", "hash",
                "\"included\":{\"SS\":[\"é.g1\",\"both.g1\"]},\"excluded\":{\"SS\":[\"out.g2\",\"both.g1\"]}");
            Check.Equal(1700000000123L, store.BigSegmentsMetadata());
            Check.Same(
                new Dictionary<string, bool> { { "é.g1", true }, { "both.g1", true }, { "out.g2", false } },
                store.BigSegmentsMembership("hash"));
        }

        [Test]
        public void TheTableAnswersOrNot()
        {
            Check.True(store.Available());
            var missing = new FlagStoreOptions("no-such-table")
            {
                Endpoint = Endpoint.Local.Url, Region = "us-east-1", AccessKeyId = "test", SecretAccessKey = Endpoint.Secret,
            };
            var told = new List<StoreEvent>();
            missing.OnEvent = told.Add;
            using (FlagStore other = FlagStore.Open(missing))
            {
                Check.True(!other.Available());
                Check.Equal(EventLevel.Debug, told.Last().Level);
                Check.Contains("no-such-table", Check.Fails("TABLE_NOT_FOUND", false, () => other.Get("features", "flag")).Message);
            }
        }

        [Test]
        public void TheCacheAnswersUntilItIsCleared()
        {
            FlagStoreOptions cached = Endpoint.Local.Options(prefix);
            cached.CacheTtl = TimeSpan.FromTicks(-1);
            using (FlagStore forEver = FlagStore.Open(cached))
            {
                forEver.Upsert("features", "flag", new Item(1, "one"));
                forEver.Get("features", "flag");
                store.Upsert("features", "flag", new Item(2, "two"));
                Check.Equal(1L, forEver.Get("features", "flag").Version);
                Check.True(forEver.Statistics()["hits"] >= 1);
                forEver.ClearCache();
                Check.Equal(2L, forEver.Get("features", "flag").Version);
            }
        }

        [Test]
        public void StatisticsCountWhatWasAsked()
        {
            FlagStoreOptions own = Endpoint.Local.Options(prefix);
            own.Shared = false;
            using (FlagStore counted = FlagStore.Open(own))
            {
                Check.Equal(0.0, counted.Statistics()["requests"]);
                counted.Upsert("features", "flag", new Item(1, "one"));
                IReadOnlyDictionary<string, double> numbers = counted.Statistics();
                Check.Equal(1.0, numbers["requests"]);
                string[] names =
                {
                    "hits", "misses", "coalesced", "stale", "served_while_away", "oldest_stale_ms", "away", "refreshes",
                    "skipped_rows", "retries", "throttles", "errors", "read_units", "write_units", "dropped_events", "cached_items",
                    "cached_lists", "cached_bytes", "uncached", "host_hits", "host_trouble", "unwritten",
                };
                Check.Sequence(new string[0], names.Where(name => !numbers.ContainsKey(name)));
            }
        }

        [Test]
        public void OptionsAreCheckedByName()
        {
            FlagStoreOptions options = Endpoint.Local.Options(prefix);
            options["no_such_option"] = 1;
            Check.Contains("no_such_option", Check.Fails("UNKNOWN_OPTION", false, () => FlagStore.Open(options)).Message);
            options["no_such_option"] = null;
            FlagStore.Open(options).Dispose();
            options["timeout_ms"] = "soon";
            Check.Contains("timeout_ms", Check.Fails("OPTION_TYPE", false, () => FlagStore.Open(options)).Message);
            options["timeout_ms"] = new object();
            Check.Contains("System.Object", Check.Fails("OPTION_TYPE", false, () => FlagStore.Open(options)).Message);
            options.Timeout = TimeSpan.FromMilliseconds(-5);
            Check.Contains("timeout_ms", Check.Fails("OPTION_VALUE", false, () => FlagStore.Open(options)).Message);
            Check.Fails("EMPTY_TABLE_NAME", false, () => FlagStore.Open(new FlagStoreOptions("")));
            Check.Fails("EMPTY_TABLE_NAME", false, () => FlagStore.Open(new FlagStoreOptions(null)));
        }

        [Test]
        public void EveryOptionOfTheReadmeIsTaken()
        {
            var options = new FlagStoreOptions("flags \"\\\u0001é")
            {
                Prefix = "p", Region = "r", Endpoint = new Uri("http://127.0.0.1:1/x"), Profile = "default", AccessKeyId = "a",
                SecretAccessKey = "b", SessionToken = "c", UseFips = false, UseDualStack = false, ConsistentReads = false,
                ConnectTimeout = TimeSpan.FromMinutes(1), AttemptTimeout = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromSeconds(1),
                AllTimeout = TimeSpan.FromSeconds(1), InitTimeout = TimeSpan.FromSeconds(1), MaxConnections = 7, WriteConcurrency = 3,
                InitOverwritesNewer = true,
                CacheTtl = TimeSpan.FromSeconds(1), CacheMaxBytes = 1L << 40, CacheRefreshAhead = false, CacheStale = TimeSpan.Zero,
                SoftWait = TimeSpan.Zero, KeepTold = true, CacheDir = "/nowhere/flags", CacheDirMaxBytes = 1L << 30, CompressLarge = true, Shared = true, Persistent = false, LogLevel = "debug", CaBundle = null, ExtraCaBundle = null, Proxy = "none",
            };
            // Static credentials and a profile exclude each other; which is the library's to say.
            options.Profile = null;
            using (FlagStore opened = FlagStore.Open(options)) Check.Contains("flags", opened.ToString());
            var readme = System.IO.File.ReadAllText(System.IO.Path.Combine(Endpoint.Repository, "bindings", "dotnet", "README.md"));
            foreach (KeyValuePair<string, object> option in options.All) Check.Contains("`" + option.Key + "`", readme);
            string project = System.IO.File.ReadAllText(System.IO.Path.Combine(Endpoint.Repository, "README.md"));
            string table = Regex.Match(project, @"\n## Options\n(.*?)\n## ", RegexOptions.Singleline).Groups[1].Value;
            List<string> names = Regex.Matches(table, @"^\| (`\w+`[^|]*)\|", RegexOptions.Multiline).Cast<Match>()
                .SelectMany(row => Regex.Matches(row.Groups[1].Value, @"`(\w+)`").Cast<Match>()).Select(name => name.Groups[1].Value).ToList();
            Check.True(names.Count >= 30, names.Count);
            Check.Sequence(names.OrderBy(name => name), options.All.Select(option => option.Key).OrderBy(name => name));
        }

        [Test]
        public void OptionsShowNoSecret()
        {
            var options = new FlagStoreOptions("flags")
            {
                Region = "eu-west-1", AccessKeyId = "hidden", SecretAccessKey = "hidden", SessionToken = "hidden",
                Endpoint = new Uri("https://user:hidden@example.com/x?token=hidden"), Proxy = "http://user:hidden@proxy.example:3128",
            };
            string shown = options.ToString();
            Check.True(!shown.Contains("hidden"), shown);
            foreach (string part in new[] { "table=flags", "region=eu-west-1", "endpoint=https://example.com/x", "secret_access_key=(set)", "proxy=http://proxy.example:3128" })
            {
                Check.Contains(part, shown);
            }
            Check.Contains("proxy=(set)", new FlagStoreOptions("flags") { Proxy = "hidden" }.ToString());
        }

        [Test]
        public void OptionsAreCopied()
        {
            FlagStoreOptions options = Endpoint.Local.Options(prefix);
            using (FlagStore opened = FlagStore.Open(options))
            {
                options.Prefix = "another";
                opened.Upsert("features", "flag", new Item(1, "x"));
            }
            Check.Equal(new Item(1, "x"), store.Get("features", "flag"));
        }

        [Test]
        public void AClosedStoreSaysSo()
        {
            FlagStore closed = Endpoint.Local.Open(prefix);
            closed.Dispose();
            closed.Dispose();
            Check.True(closed.Closed);
            Check.Contains("is closed: open another one", Check.Fails("INVALID_HANDLE", false, () => closed.Get("features", "flag")).Message);
            Check.Fails("INVALID_HANDLE", false, () => closed.ClearCache());
            Check.True(!closed.Available());
            Check.Fails("INVALID_HANDLE", false, () => Check.Result(closed.GetAsync("features", "flag")));
        }

        [Test]
        public async Task AStoreIsDisposedAsynchronously()
        {
            FlagStore closed = Endpoint.Local.Open(prefix);
            await ((IAsyncDisposable)closed).DisposeAsync();
            Check.True(closed.Closed);
        }

        [Test]
        public void AForgottenStoreIsClosed()
        {
            ulong number = Forgotten();
            Check.Comes(
                () =>
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                    return !IsOpen(number);
                },
                "the end of a store that nobody holds");
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private ulong Forgotten()
        {
            // On a thread that ends, whose stack the collector of Mono would otherwise search for what looks like a reference.
            ulong number = 0;
            var thread = new System.Threading.Thread(() =>
            {
                FlagStore forgotten = Endpoint.Local.Open(prefix);
                number = Number(forgotten);
                Check.True(IsOpen(number));
            });
            thread.Start();
            thread.Join();
            return number;
        }

        private static ulong Number(FlagStore opened)
        {
            var field = typeof(FlagStore).GetField("handle", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance);
            return ((StoreHandle)field.GetValue(opened)).Number;
        }

        private static unsafe bool IsOpen(ulong number) => Native.store_clear_cache(number, null) == Native.Ok;

        [Test]
        public void ARecipientOfEventsMayUseTheStoreAndMayFail()
        {
            FlagStore used = null;
            int heard = 0;
            FlagStoreOptions options = Endpoint.Local.Options(prefix);
            options.OnEvent = happened =>
            {
                heard++;
                used.Upsert("features", "huge", new Item(1, new string('x', 400000)));
                throw new InvalidOperationException("the recipient's own");
            };
            options.Shared = false;
            using (used = FlagStore.Open(options))
            {
                Check.Equal(UpsertOutcome.TooLarge, used.Upsert("features", "huge", new Item(1, new string('x', 400000))).Outcome);
                Check.Equal(1, heard);
            }
            Check.Equal(2, heard);
        }

        [Test]
        public void EventsWithoutARecipientAreTraced()
        {
            var listener = new Listener();
            FlagStore.Trace.Listeners.Add(listener);
            FlagStore.Trace.Switch.Level = SourceLevels.Error;
            try
            {
                using (FlagStore traced = Endpoint.Local.Open(prefix + "{0}"))
                {
                    traced.Upsert("features", "huge", new Item(1, new string('x', 400000)));
                }
            }
            finally
            {
                FlagStore.Trace.Switch.Level = SourceLevels.Off;
                FlagStore.Trace.Listeners.Remove(listener);
            }
            Check.Contains("\"huge\"", listener.Heard.Single());
        }

        [Test]
        public void AListenerThatFailsFailsNoCall()
        {
            var listener = new Listener { Fails = true };
            FlagStore.Trace.Listeners.Add(listener);
            FlagStore.Trace.Switch.Level = SourceLevels.Error;
            try
            {
                using (FlagStore traced = Endpoint.Local.Open(prefix))
                {
                    Check.Equal(UpsertOutcome.TooLarge, traced.Upsert("features", "huge", new Item(1, new string('x', 400000))).Outcome);
                }
            }
            finally
            {
                FlagStore.Trace.Switch.Level = SourceLevels.Off;
                FlagStore.Trace.Listeners.Remove(listener);
            }
            Check.Contains("the recipient of events failed", listener.Heard.Last());
        }

        private sealed class Listener : TraceListener
        {
            internal readonly List<string> Heard = new List<string>();
            internal bool Fails;

            public override void TraceEvent(
                TraceEventCache cache, string source, TraceEventType type, int id, string format, params object[] values)
            {
                Heard.Add(string.Format(format, values));
                if (Fails) throw new InvalidOperationException("the listener's own");
            }

            public override void Write(string message)
            {
            }

            public override void WriteLine(string message)
            {
            }
        }

        [Test]
        public void ItemsAreComparedByTheirParts()
        {
            Check.True(new Item(1, "a").Equals(new Item(1, "a")) && new Item(1, "a").GetHashCode() == new Item(1, "a").GetHashCode());
            foreach (Item other in new[] { new Item(1, "b"), new Item(2, "a"), Item.Tombstone(1, "a"), null })
            {
                Check.True(!new Item(1, "a").Equals(other), other);
            }
            Check.Lacks("p4yl0ad", new Item(1, "p4yl0ad").ToString());
        }
    }
}
