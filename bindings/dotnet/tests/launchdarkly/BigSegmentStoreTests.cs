using System;
using System.Linq;
using System.Threading.Tasks;
using Flagstore.LaunchDarkly;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk.Server.Subsystems;
using static Flagstore.Tests.Adapter;
using static LaunchDarkly.Sdk.Server.Subsystems.BigSegmentStoreTypes;

namespace Flagstore.Tests
{
    /// <summary>What LaunchDarkly's tests of Big Segment stores ask of every one.</summary>
    public sealed class BigSegmentStoreTests : IDisposable
    {
        private readonly string prefix = Endpoint.NewPrefix();
        private readonly IBigSegmentStore store;

        public BigSegmentStoreTests()
        {
            store = Built(On(Endpoint.Local, DynamoDB.BigSegmentStore(Endpoint.Table), prefix), Logs.Capture());
        }

        public void Dispose() => store.Dispose();

        private IMembership Membership(string attributes)
        {
            if (attributes != null) Endpoint.Local.Put(prefix + ":big_segments_user", "hash", attributes);
            return Check.Result(store.GetMembershipAsync("hash"));
        }

        [Test]
        public void MissingMetadataIsNull() => Check.True(!Check.Result(store.GetMetadataAsync()).HasValue);

        [Test]
        public void MetadataIsATime()
        {
            string metadata = prefix + ":big_segments_metadata";
            Endpoint.Local.Put(metadata, metadata, "\"synchronizedOn\":{\"N\":\"1700000000123\"}");
            Check.Equal(1700000000123L, Check.Result(store.GetMetadataAsync()).Value.LastUpToDate.Value.Value);
        }

        [Test]
        public void AContextThatNoSegmentNamesHasNoMembership() => Check.True(Membership(null) == null);

        [Test]
        public void IncludedAndExcludedSegmentsAreTold()
        {
            IMembership included = Membership("\"included\":{\"SS\":[\"in1\",\"in2\"]}");
            Check.True(included.CheckMembership("in1") == true && included.CheckMembership("in2") == true);
            Check.True(included.CheckMembership("out") == null);
            IMembership excluded = Membership("\"excluded\":{\"SS\":[\"out\"]}");
            Check.True(excluded.CheckMembership("out") == false && excluded.CheckMembership("in1") == null);
            IMembership both = Membership("\"included\":{\"SS\":[\"in1\",\"both\"]},\"excluded\":{\"SS\":[\"out\",\"both\"]}");
            Check.True(both.CheckMembership("in1") == true && both.CheckMembership("out") == false);
            // Included wins.
            Check.True(both.CheckMembership("both") == true);
        }

        [Test]
        public void ErrorsAreTheTasks()
        {
            using (IBigSegmentStore missing = Built(On(Endpoint.Local, DynamoDB.BigSegmentStore("no-such-table"), prefix), Logs.Capture()))
            {
                Check.Fails("TABLE_NOT_FOUND", false, () => Check.Result(missing.GetMetadataAsync()));
                Check.Fails("TABLE_NOT_FOUND", false, () => Check.Result(missing.GetMembershipAsync("hash")));
            }
            Check.Fails("EMPTY_KEY", false, () => Check.Result(store.GetMembershipAsync("")));
            Task<IMembership> wrong = store.GetMembershipAsync("\ud800");
            Check.Fails("INVALID_UTF8", false, () => Check.Result(wrong));
        }

        [Test]
        public void FailuresAreLoggedOnceUntilOneGoesWell()
        {
            LogCapture log = Logs.Capture();
            using (IBigSegmentStore failing = Built(
                On(Endpoint.Faults, DynamoDB.BigSegmentStore(Endpoint.Table), prefix).Option("shared", false), log))
            {
                for (int outage = 1; outage <= 2; outage++)
                {
                    Endpoint.Faults.EachRequest("{\"do\":\"refuse\",\"type\":\"AccessDeniedException\"}");
                    Check.Fails("ACCESS_DENIED", false, () => Check.Result(failing.GetMetadataAsync()));
                    Check.Fails("ACCESS_DENIED", false, () => Check.Result(failing.GetMembershipAsync("hash")));
                    Endpoint.Faults.Reset();
                    Check.True(Check.Result(failing.GetMembershipAsync("hash")) == null);
                    Check.Equal(outage, Logged(log, LogLevel.Error, "BigSegments.DynamoDB").Count);
                }
            }
        }

        [Test]
        public void WaitingCallsHoldNoThread()
        {
            using (IBigSegmentStore held = Built(On(Endpoint.Faults, DynamoDB.BigSegmentStore(Endpoint.Table), prefix), Logs.Capture()))
            {
                AsyncTests.HoldNoThread(number => held.GetMembershipAsync("hash-" + number));
                AsyncTests.HoldNoThread(number => held.GetMetadataAsync());
                Endpoint.Faults.EachRequest("{\"do\":\"delay\",\"ms\":5}");
                Task<IMembership>[] calls = Enumerable.Range(0, 100).Select(number => held.GetMembershipAsync("hash-" + number)).ToArray();
                Check.True(calls.All(call => Check.Result(call) == null));
                Endpoint.Faults.Reset();
            }
        }
    }
}
