using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Flagstore.LaunchDarkly;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.Tests
{
    /// <summary>What this adapter adds to a store: the rows of other SDKs, the log, the builder.</summary>
    public sealed class AdapterTests : IDisposable
    {
        private readonly string prefix = Endpoint.NewPrefix();
        private readonly LogCapture log = Logs.Capture();
        private readonly IPersistentDataStore store;

        public AdapterTests()
        {
            store = Store(Endpoint.Local, prefix, log);
        }

        public void Dispose()
        {
            store.Dispose();
            Check.True(!log.GetMessages().Any(message => message.Text.Contains(Endpoint.Secret)));
        }

        private static string Flag(string key, int version) =>
            "{\"key\":\"" + key + "\",\"version\":" + version + ",\"on\":false,\"offVariation\":0,\"variations\":[\"a\",\"b\"],\"salt\":\"\"}";

        private List<string> Errors => Logged(log, LogLevel.Error, "DataStore.DynamoDB");

        [Test]
        public async Task DoctorTakesTheOptionsOfTheBuilder()
        {
            DynamoDBStoreBuilder<IPersistentDataStore> missing = DynamoDB.DataStore("no-such-table").Prefix(prefix)
                .Endpoint(Endpoint.Local.Url).Region("us-east-1").Credentials("test", Endpoint.Secret);
            foreach (Report report in new[] { missing.Doctor(), await missing.DoctorAsync() })
            {
                Check.Contains("no-such-table", report.Findings.Single(one => one.Check == "table").Found);
                Check.Lacks(Endpoint.Secret, string.Join("\n", report.Findings));
            }
            missing.Option("timeout_ms", -1);
            Check.Contains("timeout_ms", Check.Fails("OPTION_VALUE", false, () => missing.Doctor()).Message);
        }

        [Test]
        public void ATombstoneOfAnySdkIsADeletedItem()
        {
            string[] tombstones =
            {
                "null",
                "{\"key\":\"gone\",\"version\":5,\"deleted\":true}",
                "{\"version\":5,\"deleted\":true}",
                "{\"key\":\"$deleted\",\"version\":5,\"deleted\":true,\"on\":false,\"variations\":[],\"rules\":[]}",
            };
            foreach (DataKind kind in new[] { Features, Segments })
            {
                foreach (string tombstone in tombstones)
                {
                    store.Init(Data(kind, Of("here", Live(1, Flag("here", 1)))));
                    Endpoint.Local.PutItem(prefix + ":" + kind.Name, "gone", 5, tombstone);
                    Same(Deleted(5), store.Get(kind, "gone"));
                    All(store, kind, Of("here", Live(1, Flag("here", 1))), Of("gone", Deleted(5)));
                    Check.True(!store.Upsert(kind, "gone", Live(4, Flag("gone", 4))));
                    Same(Deleted(5), store.Get(kind, "gone"));
                }
            }
        }

        [Test]
        public void ADeletionIsWrittenInTheFormThatEverySdkReads()
        {
            foreach (DataKind kind in new[] { Features, Segments })
            {
                Check.True(store.Upsert(kind, "flag", Deleted(3, "{\"version\":3,\"deleted\":true}")));
                IDictionary<string, object> row = Endpoint.Local.Row(prefix + ":" + kind.Name, "flag");
                Check.Equal("3", Endpoint.Value(row, "version", "N"));
                var written = (IDictionary<string, object>)Json.Read(Endpoint.Value(row, "item", "S"));
                Check.Equal("$deleted", (string)written["key"]);
                Check.Equal(3L, (long)written["version"]);
                Check.Equal(true, (bool)written["deleted"]);
                Check.True(written.Count > 5);
                Check.True(store.Upsert(kind, "flag", Live(4, Flag("flag", 4))));
            }
        }

        [Test]
        public void ItemsAreWrittenAsTheSdkWritesThem()
        {
            store.Init(Data(Features, Of("flag", Live(1, Flag("flag", 1)))));
            IDictionary<string, object> row = Endpoint.Local.Row(prefix + ":features", "flag");
            Check.Equal(Flag("flag", 1), Endpoint.Value(row, "item", "S"));
            Check.Equal(4, row.Count);
        }

        [Test]
        public void AVersionThatTheSdkCannotHoldIsLeftOutAndLogged()
        {
            store.Init(Data(Features, Of("highest", Live(int.MaxValue, Flag("highest", int.MaxValue)))));
            Endpoint.Local.PutItem(prefix + ":features", "beyond", int.MaxValue + 1L, Flag("beyond", 1));
            Check.True(!store.Get(Features, "beyond").HasValue);
            All(store, Features, Of("highest", Live(int.MaxValue, Flag("highest", int.MaxValue))));
            string warning = Logged(log, LogLevel.Warn, "DataStore.DynamoDB").Single();
            Check.Contains("\"beyond\"", warning);
            Check.Contains("2147483648", warning);
            // It is the newer one all the same.
            Check.True(!store.Upsert(Features, "beyond", Live(7, Flag("beyond", 7))));
        }

        [Test]
        public void AVersionThatOverflowedIsRefusedBeforeAnythingIsWritten()
        {
            int overflowed = unchecked(int.MaxValue + 1);
            Check.Fails("INVALID_VERSION", false, () => store.Upsert(Features, "flag", Live(overflowed, "x")));
            Check.Contains("\"flag\"", Check.Fails(
                "INVALID_VERSION", false, () => store.Init(Data(Features, Of("good", Live(1, "x")), Of("flag", Live(overflowed, "x"))))).Message);
            All(store, Features);
            Check.True(!store.Initialized());
        }

        [Test]
        public void AnItemThatIsTooLargeLeavesWhatAllOthersRead()
        {
            store.Init(Data(Features, Of("huge", Live(1, Flag("huge", 1))), Of("other", Live(1, Flag("other", 1)))));
            SerializedItemDescriptor huge = Live(2, new string('x', 400000));
            Check.True(!store.Upsert(Features, "huge", huge));
            store.Init(Data(Features, Of("huge", huge), Of("other", Live(2, Flag("other", 2)))));
            Same(Live(1, Flag("huge", 1)), store.Get(Features, "huge"));
            Same(Live(2, Flag("other", 2)), store.Get(Features, "other"));
            Check.Equal(2, Errors.Count);
            Check.Lacks("xxxx", Errors[0]);
        }

        [Test]
        public void OneBadRowHidesNoOther()
        {
            store.Init(Data(Features, Of("good", Live(1, Flag("good", 1)))));
            Endpoint.Local.Put(prefix + ":features", "bad", "\"version\":{\"N\":\"1\"},\"item\":{\"N\":\"5\"}");
            All(store, Features, Of("good", Live(1, Flag("good", 1))));
        }

        [Test]
        public void FailuresAreLoggedOnceUntilOneGoesWell()
        {
            using (IPersistentDataStore failing = Built(On(Endpoint.Faults, DynamoDB.DataStore(Endpoint.Table), prefix).Option("shared", false), log))
            {
                for (int outage = 1; outage <= 2; outage++)
                {
                    Endpoint.Faults.EachRequest("{\"do\":\"refuse\",\"type\":\"AccessDeniedException\"}");
                    for (int attempt = 0; attempt < 3; attempt++) Check.Fails("ACCESS_DENIED", false, () => failing.Get(Features, "flag"));
                    Check.True(!failing.IsStoreAvailable());
                    Endpoint.Faults.Reset();
                    Check.True(!failing.Get(Features, "flag").HasValue);
                    Check.True(failing.IsStoreAvailable());
                    Check.Equal(outage, Errors.Count);
                }
            }
        }

        [Test]
        public void ALoggerThatThrowsChangesNoCall()
        {
            int heard = 0;
            SimpleLogging failing = Logs.ToMethod(line =>
            {
                heard++;
                throw new InvalidOperationException("the logger's own");
            });
            DynamoDBStoreBuilder<IPersistentDataStore> builder =
                On(Endpoint.Faults, DynamoDB.DataStore(Endpoint.Table), prefix).Option("log_level", "debug").KeepTold(false);
            SerializedItemDescriptor huge = Live(1, new string('x', 400000));
            using (IPersistentDataStore quiet = Built(builder, failing))
            {
                quiet.Init(Data(Features, Of("good", Live(1, Flag("good", 1))), Of("huge", huge)));
                Endpoint.Local.PutItem(prefix + ":features", "bad", 1, "no flag");
                All(quiet, Features, Of("good", Live(1, Flag("good", 1))));
                Check.True(!quiet.Get(Features, "bad").HasValue);
                Check.True(!quiet.Upsert(Features, "huge", huge));
                Endpoint.Faults.EachRequest("{\"do\":\"refuse\",\"type\":\"AccessDeniedException\"}");
                for (int time = 0; time < 2; time++) Check.Fails("ACCESS_DENIED", false, () => quiet.Get(Features, "good"));
                Check.True(!quiet.IsStoreAvailable());
                Endpoint.Faults.Reset();
                Check.True(quiet.Initialized());
            }
            Check.True(heard >= 5, heard);
        }

        [Test]
        public void BracesInAMessageAreNoFormat()
        {
            Check.True(!store.Upsert(Features, "{0} {huge}", Live(1, new string('x', 400000))));
            Check.Contains("{0} {huge}", Errors.Single());
        }

        [Test]
        public void EachKindOfStoreHasItsLogger()
        {
            Built(On(Endpoint.Local, DynamoDB.BigSegmentStore(Endpoint.Table), prefix), log).Dispose();
            Check.Contains("\"", "\"" + Logged(log, LogLevel.Info, "DataStore.DynamoDB").Single());
            string used = Logged(log, LogLevel.Info, "BigSegments.DynamoDB").Single();
            string[] parts = { "table=" + Endpoint.Table, "prefix=" + prefix, "endpoint=http://127.0.0.1:", "region=us-east-1", "libflagstore 0." };
            foreach (string part in parts) Check.Contains(part, used);
        }

        [Test]
        public void TheStoreKeepsNoCacheOfItsOwn()
        {
            using (FlagStore own = Endpoint.Local.Open(prefix))
            {
                Check.True(!store.Get(Features, "flag").HasValue);
                own.Upsert("features", "flag", new Item(1, Flag("flag", 1)));
                Same(Live(1, Flag("flag", 1)), store.Get(Features, "flag"));
            }
        }

        [Test]
        public void AClosedStoreIsNotAvailable()
        {
            store.Dispose();
            Check.True(!store.IsStoreAvailable());
        }

        [Test]
        public void TheSdkCallsItDynamoDB()
        {
            Check.True(DynamoDB.DataStore("flags").DescribeConfiguration(null).Equals(LdValue.Of("DynamoDB")));
            Check.True(DynamoDB.BigSegmentStore("flags").DescribeConfiguration(null).Equals(LdValue.Of("DynamoDB")));
            Check.Equal("namespace key", DynamoDB.DataStorePartitionKey + " " + DynamoDB.DataStoreSortKey);
        }

        [Test]
        public void AWrongOptionIsRefusedWhenTheStoreIsBuilt()
        {
            Check.Contains("no_such_option", Check.Fails(
                "UNKNOWN_OPTION", false, () => Built(DynamoDB.DataStore("flags").Option("no_such_option", 1), log)).Message);
            Check.Fails("EMPTY_TABLE_NAME", false, () => Built(DynamoDB.DataStore(""), log));
        }

        /// <summary>
        /// The rows of every data set of the evaluations come back as they were given. That the SDK evaluates them so is
        /// tested with the SDK itself, by EvaluationsTests.
        /// </summary>
        [Test]
        public void TheDataSetsOfTheEvaluationsComeBackCharacterForCharacter()
        {
            int rows = 0;
            foreach (DataSets.Set set in DataSets.Read())
            {
                string own = prefix + "-" + set.Name;
                using (IPersistentDataStore one = Store(Endpoint.Local, own, log))
                {
                    var kinds = new Dictionary<DataKind, List<KeyValuePair<string, SerializedItemDescriptor>>>
                    {
                        { Features, set.Flags.Select(item => Of(item.Key, Live(item.Version, item.Payload))).ToList() },
                        { Segments, set.Segments.Select(item => Of(item.Key, Live(item.Version, item.Payload))).ToList() },
                    };
                    one.Init(new FullDataSet<SerializedItemDescriptor>(kinds.Select(kind => Kind(kind.Key, kind.Value.ToArray()))));
                    foreach (var kind in kinds)
                    {
                        All(one, kind.Key, kind.Value.ToArray());
                        foreach (var item in kind.Value) Same(item.Value, one.Get(kind.Key, item.Key));
                        rows += kind.Value.Count;
                    }
                }
            }
            Check.True(rows > 300, rows + " rows");
        }
    }
}
