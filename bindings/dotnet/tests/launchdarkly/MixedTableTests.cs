using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.Tests
{
    /// <summary>One table for this store and the Python SDK's own DynamoDB integration, on dynalite.</summary>
    public sealed class MixedTableTests : IDisposable
    {
        private const string F1 = "{\"key\":\"f1\",\"version\":1,\"on\":true,\"variations\":[\"é\",2],\"salt\":\"\"}";

        private readonly string prefix = Endpoint.NewPrefix();
        private readonly Endpoint endpoint = Endpoint.Dynalite;
        private readonly IPersistentDataStore store;

        public MixedTableTests()
        {
            store = Store(endpoint, prefix);
        }

        public void Dispose() => store.Dispose();

        private static string Peer => Path.Combine(Endpoint.Repository, "bindings", "dotnet", "tests", "native_store.py");

        /// <summary>An act of the Python integration; gives what it prints.</summary>
        private string Python(string act, string input)
        {
            string python = Path.Combine(Endpoint.Repository, "build", "venv", "bin", "python");
            if (!File.Exists(python)) throw new SkippedException("the Python SDK is not there: make venv");
            var start = new ProcessStartInfo(python, string.Join(" ", Peer, endpoint.Url.OriginalString, Endpoint.Table, prefix, act))
            {
                UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            };
            start.Environment["PYTHONIOENCODING"] = "utf-8";
            using (Process process = Process.Start(start))
            {
                byte[] bytes = System.Text.Encoding.UTF8.GetBytes(input);
                process.StandardInput.BaseStream.Write(bytes, 0, bytes.Length);
                process.StandardInput.Close();
                string output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                Check.Equal(0, process.ExitCode);
                return output;
            }
        }

        private IDictionary<string, object> PythonReads() => (IDictionary<string, object>)Json.Read(Python("read", ""));

        private static IDictionary<string, object> Item(IDictionary<string, object> read, string kind, string key)
        {
            var items = (IDictionary<string, object>)read[kind];
            return items.ContainsKey(key) ? (IDictionary<string, object>)items[key] : null;
        }

        [Test]
        public void PythonReadsWhatThisStoreWrote()
        {
            store.Init(new FullDataSet<SerializedItemDescriptor>(new[]
            {
                Kind(Features, Of("f1", Live(1, F1)), Of("f2", Live(1, F1.Replace("f1", "f2")))), Kind(Segments),
            }));
            Check.True(store.Upsert(Features, "f2", Deleted(2)));
            IDictionary<string, object> read = PythonReads();
            Check.Equal(true, (bool)read["initialized"]);
            Check.Equal("é", (string)((List<object>)Item(read, "features", "f1")["variations"])[0]);
            // The deletion is no error, and hides no other flag.
            Check.Equal(null, Item(read, "features", "f2"));
            Check.Equal(1, ((IDictionary<string, object>)read["features"]).Count);
        }

        [Test]
        public void ThisStoreReadsWhatPythonWrote()
        {
            Python("init", "{\"features\":{\"f1\":" + F1 + "},\"segments\":{\"s1\":{\"key\":\"s1\",\"version\":7,\"included\":[\"ü\"]}}}");
            Check.True(store.Initialized());
            SerializedItemDescriptor flag = store.Get(Features, "f1").Value;
            Check.Equal(1, flag.Version);
            Check.Equal("é", (string)((List<object>)((IDictionary<string, object>)Json.Read(flag.SerializedItem))["variations"])[0]);
            Python("delete features f1 2", "");
            Same(Deleted(2), store.Get(Features, "f1"));
            All(store, Features, Of("f1", Deleted(2)));
            Check.Equal(7, store.Get(Segments, "s1").Value.Version);
            Check.True(!store.Upsert(Features, "f1", Live(2, F1)));
        }

        [Test]
        public void TheNewerVersionWinsWhoeverWritesIt()
        {
            store.Upsert(Features, "f1", Live(5, F1.Replace("\"version\":1", "\"version\":5")));
            Python("upsert features", F1.Replace("\"version\":1", "\"version\":4"));
            Check.Equal(5, store.Get(Features, "f1").Value.Version);
            Python("upsert features", F1.Replace("\"version\":1", "\"version\":6"));
            Check.Equal(6, store.Get(Features, "f1").Value.Version);
            Check.True(!store.Upsert(Features, "f1", Live(6, F1)));
        }

        [Test]
        public void AnInitOfOneReplacesTheOthersData()
        {
            store.Init(Data(Features, Of("f1", Live(1, F1)), Of("old", Live(1, F1))));
            Python("init", "{\"features\":{\"f1\":" + F1.Replace("\"version\":1", "\"version\":9") + "},\"segments\":{}}");
            Check.Equal(9, store.Get(Features, "f1").Value.Version);
            Check.True(!store.Get(Features, "old").HasValue);
            store.Init(Data(Features, Of("new", Live(1, F1.Replace("f1", "new")))));
            IDictionary<string, object> read = PythonReads();
            Check.True(Item(read, "features", "f1") == null && Item(read, "features", "new") != null);
        }
    }
}
