using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using System.Threading;

namespace Flagstore.Tests
{
    /// <summary>A DynamoDB endpoint with the tests' tables. It is a process that ends with this one, whose input it reads.</summary>
    internal sealed class Endpoint
    {
        internal const string Table = "flags";

        internal const string Secret = "secret-that-must-not-show";

        /// <summary>The project's folder.</summary>
        internal static readonly string Repository = Above(AppDomain.CurrentDomain.BaseDirectory);

        /// <summary>The library under test: the file that FLAGSTORE_LIBRARY names, or the one of the release build.</summary>
        internal static readonly string Library = Program("FLAGSTORE_LIBRARY", "libflagstore.so");

        private static readonly List<Endpoint> Started = new List<Endpoint>();
        private static readonly Lazy<Endpoint> TheLocal =
            new Lazy<Endpoint>(() => new Endpoint(Program("FLAGSTORE_LOCAL", "flagstore-local"), "--table", Table));
        private static readonly Lazy<Endpoint> TheFaults = new Lazy<Endpoint>(
            () => new Endpoint(Path.Combine(Repository, "tests", "faults", "endpoint"), "--upstream", Local.Url.OriginalString));
        private static readonly Lazy<Endpoint> TheDynalite = new Lazy<Endpoint>(() => new Endpoint(DynaliteProgram, "--table", Table));
        private static int prefixes;

        private readonly Process process;
        private readonly IDictionary<string, object> ready;

        private Endpoint(string program, params string[] arguments)
        {
            // Its input is a pipe that nobody writes to: the end of this process, however it ends, is the end of that one.
            process = Process.Start(new ProcessStartInfo(program, string.Join(" ", arguments) + " --exit-with-stdin")
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            });
            string line = process.StandardOutput.ReadLine();
            if (line == null) throw new InvalidOperationException(program + " ended before it was ready: build it first");
            ready = (IDictionary<string, object>)Json.Read(line);
            lock (Started) Started.Add(this);
        }

        /// <summary><c>flagstore-local</c>: the file that FLAGSTORE_LOCAL names, or the one of the release build.</summary>
        internal static Endpoint Local => TheLocal.Value;

        /// <summary><c>tests/faults/endpoint</c> in front of the local one.</summary>
        internal static Endpoint Faults => TheFaults.Value;

        /// <summary>npm's dynalite.</summary>
        internal static Endpoint Dynalite
        {
            get
            {
                if (DynaliteProgram == null) throw new SkippedException("dynalite is not there: set FLAGSTORE_DYNALITE");
                return TheDynalite.Value;
            }
        }

        private static string DynaliteProgram => Environment.GetEnvironmentVariable("FLAGSTORE_DYNALITE");

        internal Uri Url => new Uri((string)ready["url"]);

        internal static void EndAll()
        {
            lock (Started)
            {
                foreach (Endpoint endpoint in Started)
                {
                    endpoint.process.StandardInput.Close();
                    endpoint.process.WaitForExit(10000);
                }
            }
        }

        private static string Above(string folder)
        {
            while (!File.Exists(Path.Combine(folder, "Cargo.toml"))) folder = Path.GetDirectoryName(folder);
            return folder;
        }

        private static string Program(string variable, string name)
        {
            string named = Environment.GetEnvironmentVariable(variable);
            return Path.GetFullPath(string.IsNullOrEmpty(named) ? Path.Combine(Repository, "target", "release", name) : named);
        }

        /// <summary>A prefix that no other test has.</summary>
        internal static string NewPrefix() => "dotnet-" + Process.GetCurrentProcess().Id + "-" + Interlocked.Increment(ref prefixes);

        internal FlagStoreOptions Options(string prefix) => new FlagStoreOptions(Table)
        {
            Prefix = prefix,
            Endpoint = Url,
            Region = "us-east-1",
            AccessKeyId = "test",
            SecretAccessKey = Secret,
        };

        internal FlagStore Open(string prefix) => FlagStore.Open(Options(prefix));

        /// <summary>A control request of <c>tests/faults/endpoint</c>.</summary>
        internal IDictionary<string, object> Tell(string path, string body = "{}") => Post(new Uri(ready["control"] + path), body);

        /// <summary>Has every request meet an action, which is JSON.</summary>
        internal void EachRequest(string action) => Tell("/script", "{\"rules\":[{\"do\":" + action + "}]}");

        /// <summary>Ends what was told, and checks that the endpoint itself made no mistake.</summary>
        internal void Reset() => Check.Equal(0, ((List<object>)Tell("/reset")["mishaps"]).Count);

        /// <summary>A request of DynamoDB, signed in form only.</summary>
        internal IDictionary<string, object> Ask(string operation, string body) => Post(
            Url, body,
            "X-Amz-Target", "DynamoDB_20120810." + operation,
            "X-Amz-Date", "20260101T000000Z",
            "Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request,"
                + " SignedHeaders=host, Signature=0");

        /// <summary>Puts a row, whose attributes beside the key are JSON members.</summary>
        internal void Put(string ofNamespace, string key, string attributes) => Ask(
            "PutItem",
            "{\"TableName\":\"" + Table + "\",\"Item\":{\"namespace\":{\"S\":\"" + ofNamespace + "\"},\"key\":{\"S\":\"" + key + "\"},"
            + attributes + "}}");

        /// <summary>Puts an item as any writer does.</summary>
        internal void PutItem(string ofNamespace, string key, long version, string payload) => Put(
            ofNamespace, key,
            "\"version\":{\"N\":\"" + version + "\"},\"item\":{\"S\":" + DataSets.Written(payload) + "}");

        /// <summary>A row's attributes: each a dictionary of its type and value.</summary>
        internal IDictionary<string, object> Row(string ofNamespace, string key) => (IDictionary<string, object>)Ask(
            "GetItem",
            "{\"TableName\":\"" + Table + "\",\"ConsistentRead\":true,\"Key\":{\"namespace\":{\"S\":\"" + ofNamespace
            + "\"},\"key\":{\"S\":\"" + key + "\"}}}")["Item"];

        internal static string Value(IDictionary<string, object> row, string attribute, string type) =>
            (string)((IDictionary<string, object>)row[attribute])[type];

        private static IDictionary<string, object> Post(Uri to, string body, params string[] headers)
        {
            var request = (HttpWebRequest)WebRequest.Create(to);
            request.Method = "POST";
            request.ContentType = "application/x-amz-json-1.0";
            request.Timeout = 60000;
            // Each on a connection of its own: calls that wait must not take another's.
            request.KeepAlive = false;
            for (int at = 0; at < headers.Length; at += 2) request.Headers[headers[at]] = headers[at + 1];
            byte[] bytes = Encoding.UTF8.GetBytes(body);
            using (Stream sending = request.GetRequestStream()) sending.Write(bytes, 0, bytes.Length);
            try
            {
                using (WebResponse response = request.GetResponse())
                using (var reader = new StreamReader(response.GetResponseStream(), Encoding.UTF8))
                {
                    return (IDictionary<string, object>)Json.Read(reader.ReadToEnd());
                }
            }
            catch (WebException error) when (error.Response != null)
            {
                using (var reader = new StreamReader(error.Response.GetResponseStream())) throw new InvalidOperationException(reader.ReadToEnd());
            }
        }
    }
}
