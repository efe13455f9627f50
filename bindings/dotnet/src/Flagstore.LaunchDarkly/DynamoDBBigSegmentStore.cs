using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk;
using LaunchDarkly.Sdk.Server.Subsystems;
using static LaunchDarkly.Sdk.Server.Subsystems.BigSegmentStoreTypes;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Reads the big segments that the Relay Proxy writes. The SDK wants tasks, and caches what they give; each holds a thread of
    /// the pool while it asks DynamoDB.
    /// </summary>
    internal sealed class DynamoDBBigSegmentStore : IBigSegmentStore
    {
        private readonly FlagStore store;
        private readonly Failures failures;

        internal DynamoDBBigSegmentStore(FlagStore store, Logger log)
        {
            this.store = store;
            failures = new Failures(log);
        }

        public Task<IMembership> GetMembershipAsync(string userHash) => Task.Run(() =>
        {
            IReadOnlyDictionary<string, bool> segments = failures.Watched(() => store.BigSegmentsMembership(userHash));
            return segments == null ? null : NewMembershipFromSegmentRefs(Named(segments, true), Named(segments, false));
        });

        private static IEnumerable<string> Named(IReadOnlyDictionary<string, bool> segments, bool included) =>
            segments.Where(segment => segment.Value == included).Select(segment => segment.Key).ToList();

        public Task<StoreMetadata?> GetMetadataAsync() => Task.Run(() =>
        {
            long? milliseconds = failures.Watched(store.BigSegmentsMetadata);
            return milliseconds.HasValue
                ? new StoreMetadata { LastUpToDate = UnixMillisecondTime.OfMillis(milliseconds.Value) }
                : (StoreMetadata?)null;
        });

        public void Dispose() => store.Dispose();
    }
}
