using System;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>The report of the library, as .NET has it.</summary>
    public sealed class DoctorTests
    {
        private static FlagStoreOptions Missing() => new FlagStoreOptions("no-such-table")
        {
            Endpoint = Endpoint.Local.Url, Region = "us-east-1", AccessKeyId = "test", SecretAccessKey = Endpoint.Secret,
        };

        [Test]
        public async Task ATableThatIsInOrderHasNoProblem()
        {
            FlagStoreOptions options = Endpoint.Local.Options(Endpoint.NewPrefix());
            using (FlagStore store = FlagStore.Open(options)) store.InitJson("{\"flags\":{\"flag\":{\"key\":\"flag\",\"version\":1}},\"segments\":{}}");
            foreach (Report report in new[] { FlagStore.Doctor(options), await FlagStore.DoctorAsync(options) })
            {
                string shown = string.Join("\n", report.Findings);
                Check.True(report.Problems == 0 && report.Warnings == 0 && report.Findings.All(one => one.Level == FindingLevel.Ok), shown);
                Finding features = report.Findings.Single(one => one.Check == "features");
                Check.True(features.Found.StartsWith("1 row", StringComparison.Ordinal), shown);
                Check.Equal(null, features.Remedy);
                Check.Lacks(Endpoint.Secret, shown);
            }
        }

        [Test]
        public void ATableThatIsMissingIsNamedWithARemedy()
        {
            Report report = FlagStore.Doctor(Missing());
            Finding missing = report.Findings.Single(one => one.Check == "table");
            Check.Equal(1, report.Problems);
            Check.Equal(FindingLevel.Problem, missing.Level);
            Check.Contains("no-such-table", missing.Found);
            Check.Contains(missing.Remedy, missing.ToString());
        }

        [Test]
        public void AnOptionThatIsWrongIsRefused()
        {
            FlagStoreOptions options = Missing();
            options["tabel"] = "flags";
            Check.Contains("tabel", Check.Fails("UNKNOWN_OPTION", false, () => FlagStore.Doctor(options)).Message);
            Check.Contains("tabel", Check.Fails("UNKNOWN_OPTION", false, () => Check.Result(FlagStore.DoctorAsync(options))).Message);
        }

        [Test]
        public async Task ATokenEndsTheWait()
        {
            var silent = new TcpListener(IPAddress.Loopback, 0);
            silent.Start();
            FlagStoreOptions options = Missing();
            options.Endpoint = new Uri("http://127.0.0.1:" + ((IPEndPoint)silent.LocalEndpoint).Port);
            using (var source = new CancellationTokenSource())
            {
                Task<Report> asked = FlagStore.DoctorAsync(options, source.Token);
                using (await silent.AcceptTcpClientAsync())
                {
                    Check.True(!asked.IsCompleted);
                    source.Cancel();
                    try
                    {
                        await asked;
                        Check.True(false, "it gave a report");
                    }
                    catch (OperationCanceledException)
                    {
                        // As it should.
                    }
                    Check.True(asked.IsCanceled);
                }
            }
            silent.Stop();
        }
    }
}
