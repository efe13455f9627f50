using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using Flagstore.LaunchDarkly;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk;
using LaunchDarkly.Sdk.Json;
using LaunchDarkly.Sdk.Server;
using LaunchDarkly.Sdk.Server.Integrations;
using LaunchDarkly.Sdk.Server.Interfaces;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;
using DynamoDB = Flagstore.LaunchDarkly.DynamoDB;

namespace Flagstore.Tests
{
    /// <summary>The LaunchDarkly SDK itself around the store; compiled with it alone.</summary>
    public sealed class ClientTests
    {
        private readonly string prefix = Endpoint.NewPrefix();

        private static ConfigurationBuilder Configured(PersistentDataStoreBuilder dataStore) =>
            Configuration.Builder("sdk-key").DataStore(dataStore).DataSource(Components.ExternalUpdatesOnly)
                .Events(Components.NoEvents).Logging(Components.NoLogging);

        private static PersistentDataStoreBuilder Uncached(Endpoint endpoint, string prefix) =>
            Components.PersistentDataStore(On(endpoint, DynamoDB.DataStore(Endpoint.Table), prefix)).NoCaching();

        private static string Flag(string key, int version) =>
            "{\"key\":\"" + key + "\",\"version\":" + version + ",\"on\":false,\"offVariation\":0,\"variations\":[\"a\",\"b\"],\"salt\":\"\"}";

        /// <summary>In daemon mode: all of the harness's server-side cases out of what this package stored.</summary>
        [Test]
        public void TheSdkEvaluatesAsWithItsOwnStore()
        {
            int evaluations = 0;
            foreach (DataSets.Set set in DataSets.Read())
            {
                string own = prefix + "-" + set.Name;
                using (IPersistentDataStore store = Store(Endpoint.Local, own))
                {
                    store.Init(new FullDataSet<SerializedItemDescriptor>(new[]
                    {
                        Kind(Features, set.Flags.Select(item => Of(item.Key, Live(item.Version, item.Payload))).ToArray()),
                        Kind(Segments, set.Segments.Select(item => Of(item.Key, Live(item.Version, item.Payload))).ToArray()),
                    }));
                }
                using (var client = new LdClient(Configured(Uncached(Endpoint.Local, own)).Build()))
                {
                    foreach (IDictionary<string, object> evaluation in set.Evaluations)
                    {
                        LdValue expected = LdValue.Parse(DataSets.Written(evaluation["expect"]));
                        LdValue answer = Answer(client, evaluation);
                        Check.True(expected.Equals(answer), set.Name + ", " + evaluation["flagKey"] + ": " + answer + " is not " + expected);
                        evaluations++;
                    }
                }
            }
            Check.Equal(720, evaluations);
            Console.WriteLine("720 of 720 evaluations right");
        }

        /// <summary>The SDK's answer in the form of the expected one.</summary>
        private static LdValue Answer(LdClient client, IDictionary<string, object> evaluation)
        {
            Context context = LdJsonSerialization.DeserializeObject<Context>(DataSets.Written(evaluation["context"]));
            LdValue otherwise = LdValue.Parse(DataSets.Written(evaluation.TryGetValue("default", out object given) ? given : null));
            EvaluationDetail<LdValue> detail = client.JsonVariationDetail((string)evaluation["flagKey"], context, otherwise);
            LdValue.ObjectBuilder answer = LdValue.BuildObject()
                .Add("value", detail.Value)
                .Add("reason", LdValue.Parse(LdJsonSerialization.SerializeObject(detail.Reason)));
            if (!detail.IsDefaultValue) answer.Add("variationIndex", detail.VariationIndex.Value);
            return answer.Build();
        }

        [Test]
        public void TheClientWritesWhatItsDataSourceBrings()
        {
            TestData source = TestData.DataSource();
            source.Update(source.Flag("flag").Variations(LdValue.Of("a"), LdValue.Of("b")).FallthroughVariation(0));
            Configuration configuration = Configured(Uncached(Endpoint.Local, prefix)).DataSource(source).Build();
            using (var client = new LdClient(configuration))
            using (FlagStore own = Endpoint.Local.Open(prefix))
            {
                Check.True(own.Initialized());
                long before = own.Get("features", "flag").Version;
                Check.Equal("a", client.StringVariation("flag", Context.New("user"), "none"));
                source.Update(source.Flag("flag").FallthroughVariation(1));
                Check.Equal("b", client.StringVariation("flag", Context.New("user"), "none"));
                Check.Equal(before + 1, own.Get("features", "flag").Version);
            }
        }

        [Test]
        public void AClientSeesAllFlagsButThoseThatItCannotRead()
        {
            foreach (DataKind kind in new[] { Features, Segments })
            {
                UnreadableRows rows = UnreadableRows.Of(kind);
                UnreadableRows.Put(prefix, kind, rows.Readable.Concat(rows.Unreadable));
            }
            Endpoint.Local.PutItem(
                prefix + ":features", "in the segment", 3, "{\"key\":\"in the segment\",\"version\":3,\"on\":true,\"salt\":\"\","
                + "\"variations\":[\"out\",\"in\"],\"fallthrough\":{\"variation\":0},\"rules\":[{\"id\":\"r\",\"variation\":1,\"clauses\":"
                + "[{\"attribute\":\"\",\"op\":\"segmentMatch\",\"values\":[\"blank\",\"a readable segment\"]}]}]}");
            Endpoint.Local.Ask("PutItem", "{\"TableName\":\"" + Endpoint.Table + "\",\"Item\":{\"namespace\":{\"S\":\"" + prefix
                + ":$inited\"},\"key\":{\"S\":\"" + prefix + ":$inited\"}}}");
            using (var client = new LdClient(Configured(Uncached(Endpoint.Local, prefix)).Build()))
            {
                Context user = Context.New("u");
                FeatureFlagsState state = client.AllFlagsState(user);
                Check.True(state.Valid);
                // As it goes to a browser: a single number that JSON does not have would fail it as a whole.
                LdValue written = LdValue.Parse(LdJsonSerialization.SerializeObject(state));
                Check.True(written.Get("a readable flag").AsBool);
                foreach (UnreadableRows.Row row in UnreadableRows.Of(Features).Readable)
                {
                    Check.True(state.GetFlagValueJson(row.Key).AsBool, row.Key);
                    Check.True(client.BoolVariation(row.Key, user, false), row.Key);
                }
                Check.Equal("in", client.StringVariation("in the segment", user, "none"));
                foreach (UnreadableRows.Row row in UnreadableRows.Of(Features).Unreadable)
                {
                    if (UnreadableRows.Taken(Features, row.Payload)) continue;
                    Check.Equal("none", client.StringVariation(row.Key, user, "none"));
                    Check.True(state.GetFlagValueJson(row.Key).IsNull, row.Key);
                }
                Check.True(client.DataStoreStatusProvider.Status.Available);
            }
        }

        [Test]
        public void TheClientTellsAnOutageAndItsEnd()
        {
            using (IPersistentDataStore store = Store(Endpoint.Local, prefix)) store.Init(Data(Features, Of("flag", Live(1, Flag("flag", 1)))));
            PersistentDataStoreBuilder dataStore = Components.PersistentDataStore(
                On(Endpoint.Faults, DynamoDB.DataStore(Endpoint.Table), prefix).Option("timeout_ms", 500)).NoCaching();
            using (var client = new LdClient(Configured(dataStore).Build()))
            {
                IDataStoreStatusProvider status = client.DataStoreStatusProvider;
                Check.True(status.StatusMonitoringEnabled);
                Check.Equal("a", client.StringVariation("flag", Context.New("user"), "none"));
                Endpoint.Faults.EachRequest("\"reset\"");
                Check.Equal("none", client.StringVariation("flag", Context.New("user"), "none"));
                Check.Comes(() => !status.Status.Available, "the outage");
                Endpoint.Faults.Reset();
                Check.Comes(() => status.Status.Available, "its end");
                Check.Equal("a", client.StringVariation("flag", Context.New("user"), "none"));
            }
        }

        [Test]
        public void TheClientEvaluatesBigSegments()
        {
            using (IPersistentDataStore store = Store(Endpoint.Local, prefix))
            {
                store.Init(new FullDataSet<SerializedItemDescriptor>(new[]
                {
                    Kind(Segments, Of("big", Live(
                        1, "{\"key\":\"big\",\"version\":1,\"unbounded\":true,\"generation\":2,\"salt\":\"\",\"rules\":[]}"))),
                    Kind(Features, Of("flag", Live(1, "{\"key\":\"flag\",\"version\":1,\"on\":true,\"variations\":[\"a\",\"b\"],"
                        + "\"fallthrough\":{\"variation\":0},\"salt\":\"\",\"rules\":[{\"id\":\"r\",\"variation\":1,\"clauses\":"
                        + "[{\"attribute\":\"\",\"op\":\"segmentMatch\",\"values\":[\"big\"]}]}]}"))),
                }));
            }
            string hash = Convert.ToBase64String(SHA256.Create().ComputeHash(Encoding.UTF8.GetBytes("member")));
            Endpoint.Local.Put(prefix + ":big_segments_user", hash, "\"included\":{\"SS\":[\"big.g2\"]}");
            string metadata = prefix + ":big_segments_metadata";
            Endpoint.Local.Put(metadata, metadata, "\"synchronizedOn\":{\"N\":\"" + (1L << 42) + "\"}");
            Configuration configuration = Configured(Uncached(Endpoint.Local, prefix))
                .BigSegments(Components.BigSegments(On(Endpoint.Local, DynamoDB.BigSegmentStore(Endpoint.Table), prefix))).Build();
            using (var client = new LdClient(configuration))
            {
                foreach (string key in new[] { "member", "other" })
                {
                    EvaluationDetail<string> detail = client.StringVariationDetail("flag", Context.New(key), "none");
                    Check.Equal(key == "member" ? "b" : "a", detail.Value);
                    Check.Equal(BigSegmentsStatus.Healthy, detail.Reason.BigSegmentsStatus.Value);
                }
            }
        }
    }
}
