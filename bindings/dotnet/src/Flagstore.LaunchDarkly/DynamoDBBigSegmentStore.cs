using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using LaunchDarkly.Sdk;
using LaunchDarkly.Sdk.Server.Subsystems;
using static LaunchDarkly.Sdk.Server.Subsystems.BigSegmentStoreTypes;

namespace Flagstore.LaunchDarkly
{
    /// <summary>Reads the big segments that the Relay Proxy writes. The SDK caches what it gets.</summary>
    internal sealed class DynamoDBBigSegmentStore : IBigSegmentStore
    {
        private readonly FlagStore store;
        private readonly Failures failures;

        internal DynamoDBBigSegmentStore(FlagStore store, Log log)
        {
            this.store = store;
            failures = new Failures(log);
        }

        public async Task<IMembership> GetMembershipAsync(string userHash)
        {
            IReadOnlyDictionary<string, bool> segments =
                await failures.WatchedAsync(() => store.BigSegmentsMembershipAsync(userHash)).ConfigureAwait(false);
            return segments == null ? null : NewMembershipFromSegmentRefs(Named(segments, true), Named(segments, false));
        }

        private static IEnumerable<string> Named(IReadOnlyDictionary<string, bool> segments, bool included) =>
            segments.Where(segment => segment.Value == included).Select(segment => segment.Key).ToList();

        public async Task<StoreMetadata?> GetMetadataAsync()
        {
            long? milliseconds = await failures.WatchedAsync(() => store.BigSegmentsMetadataAsync()).ConfigureAwait(false);
            return milliseconds.HasValue
                ? new StoreMetadata { LastUpToDate = UnixMillisecondTime.OfMillis(milliseconds.Value) }
                : (StoreMetadata?)null;
        }

        public void Dispose() => store.Dispose();
    }
}
