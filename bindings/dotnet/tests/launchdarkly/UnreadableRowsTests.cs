using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.Tests
{
    /// <summary><c>tests/data/unreadable_rows.json</c>: rows of which no one may hide the others.</summary>
    internal sealed class UnreadableRows
    {
        internal sealed class Row
        {
            internal string Key;
            internal string Payload;
            internal bool Everywhere;
        }

        /// <summary>Those of a kind that every SDK reads.</summary>
        internal readonly List<Row> Readable;

        /// <summary>Those that some SDK does not read.</summary>
        internal readonly List<Row> Unreadable;

        private UnreadableRows(List<Row> readable, List<Row> unreadable)
        {
            Readable = readable;
            Unreadable = unreadable;
        }

        internal static UnreadableRows Of(DataKind kind)
        {
            string text = File.ReadAllText(Path.Combine(Endpoint.Repository, "tests", "data", "unreadable_rows.json"));
            var data = (IDictionary<string, object>)Json.Read(text);
            var readable = (IDictionary<string, object>)((IDictionary<string, object>)data["readable"])[kind.Name];
            var unreadable = (List<object>)((IDictionary<string, object>)data["unreadable"])[kind.Name];
            return new UnreadableRows(
                readable.Select(row => new Row { Key = row.Key, Payload = (string)row.Value }).ToList(),
                unreadable.Cast<IDictionary<string, object>>().Select(Given).ToList());
        }

        private static Row Given(IDictionary<string, object> row)
        {
            int nesting = row.TryGetValue("nesting", out object levels) ? (int)(long)levels : 0;
            string nested = new string('[', nesting) + new string(']', nesting);
            return new Row
            {
                Key = (string)row["name"],
                Payload = ((string)row["item"]).Replace("<>", nested),
                Everywhere = (bool)row["everywhere"],
            };
        }

        /// <summary>Whether the SDK makes something of a payload, which it can write again.</summary>
        internal static bool Taken(DataKind kind, string payload)
        {
            try
            {
                kind.Serialize(kind.Deserialize(payload));
                return true;
            }
            catch (Exception)
            {
                return false;
            }
        }

        internal static void Put(string prefix, DataKind kind, IEnumerable<Row> rows)
        {
            foreach (Row row in rows) Endpoint.Local.PutItem(prefix + ":" + kind.Name, row.Key, 3, row.Payload);
        }
    }

    /// <summary>Rows that this SDK, or any, cannot read: the other ones are there all the same.</summary>
    public sealed class UnreadableRowsTests : IDisposable
    {
        private static readonly DataKind[] Kinds = { Features, Segments };

        private readonly string prefix = Endpoint.NewPrefix();
        private readonly LogCapture log = Logs.Capture();
        private readonly IPersistentDataStore store;

        public UnreadableRowsTests()
        {
            store = Store(Endpoint.Local, prefix, log);
        }

        public void Dispose() => store.Dispose();

        private List<string> Warnings => Logged(log, LogLevel.Warn, "DataStore.DynamoDB");

        private static KeyValuePair<string, SerializedItemDescriptor>[] Items(IEnumerable<UnreadableRows.Row> rows) =>
            rows.Select(row => Of(row.Key, Live(3, row.Payload))).ToArray();

        /// <summary>What the SDK itself can use of them; the stand-in is to take the same.</summary>
        [Test]
        public void TheSdkTakesTheseOfThemAndNoOthers()
        {
            foreach (DataKind kind in Kinds)
            {
                UnreadableRows rows = UnreadableRows.Of(kind);
                Check.Sequence(
                    new[] { "two documents" },
                    rows.Unreadable.Where(row => UnreadableRows.Taken(kind, row.Payload)).Select(row => row.Key));
                Check.True(rows.Readable.All(row => UnreadableRows.Taken(kind, row.Payload)));
            }
        }

        [Test]
        public void WhatTheSdkCannotReadIsLeftOutAndTheOthersAreThere()
        {
            foreach (DataKind kind in Kinds)
            {
                UnreadableRows rows = UnreadableRows.Of(kind);
                UnreadableRows.Put(prefix, kind, rows.Readable.Concat(rows.Unreadable));
                ILookup<bool, UnreadableRows.Row> parted = rows.Unreadable.ToLookup(row => UnreadableRows.Taken(kind, row.Payload));
                Check.True(!parted[true].Any(row => row.Everywhere));
                Check.True(parted[false].Count() >= 20, parted[false].Count() + " of " + kind.Name);
                KeyValuePair<string, SerializedItemDescriptor>[] expected = Items(rows.Readable.Concat(parted[true]));
                All(store, kind, expected);
                foreach (KeyValuePair<string, SerializedItemDescriptor> item in expected) Same(item.Value, store.Get(kind, item.Key));
                foreach (UnreadableRows.Row row in parted[false]) Check.True(!store.Get(kind, row.Key).HasValue, row.Key);
                Check.Equal(parted[false].Count(), Warnings.Count(warning => warning.Contains("\"" + kind.Name + "\"")));
            }
        }

        [Test]
        public void EachIsWarnedAboutOnceAVersionWithoutItsPayload()
        {
            const string key = "bad\\n\\\"{0}\\\"";
            string[] payloads = { "p4yl0ad", "{\"key\":[\"p4yl0ad\"],\"version\":3}" };
            for (int at = 0; at < 2; at++)
            {
                UnreadableRows.Put(prefix, Kinds[at], UnreadableRows.Of(Kinds[at]).Readable);
                Endpoint.Local.PutItem(prefix + ":" + Kinds[at].Name, key, 3, payloads[at]);
                for (int time = 0; time < 2; time++)
                {
                    All(store, Kinds[at], Items(UnreadableRows.Of(Kinds[at]).Readable));
                    Check.True(!store.Get(Kinds[at], "bad\n\"{0}\"").HasValue);
                }
                Check.Equal(at + 1, Warnings.Count);
                Check.Contains(
                    "the item \"bad\\u000a\\\"{0}\\\"\" in \"" + Kinds[at].Name + "\" is left out: the SDK cannot read its version 3 (",
                    Warnings[at]);
            }
            Endpoint.Local.PutItem(prefix + ":features", key, 4, "p4yl0ad");
            Check.True(!store.Get(Features, "bad\n\"{0}\"").HasValue);
            Check.Equal(3, Warnings.Count);
            Check.Contains("version 4", Warnings[2]);
            Check.Lacks("p4yl0ad", string.Join("\n", log.GetMessages().Select(message => message.Text)));
        }
    }
}
