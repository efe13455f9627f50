using System;
using System.Threading;
using LaunchDarkly.Sdk.Server.Interfaces;
using LaunchDarkly.Sdk.Server.Subsystems;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Tells the SDK's data store status what no exception tells it: that DynamoDB is away although reads go on, with values that
    /// stand in; and that it is back. The SDK's status passes on changes alone, so that it does no harm where the SDK noticed by itself.
    /// </summary>
    internal sealed class Outage : IDisposable
    {
        /// <summary>How often the SDK itself asks whether a store is back.</summary>
        internal static readonly TimeSpan BetweenProbes = TimeSpan.FromMilliseconds(500);

        private readonly Func<bool> available;
        private readonly IDataStoreUpdates status;
        private readonly TimeSpan pause;
        private readonly Timer probes;
        private readonly object changing = new object();
        private bool ongoing;
        private bool ended;

        internal Outage(Func<bool> available, IDataStoreUpdates status, TimeSpan pause)
        {
            this.available = available;
            this.status = status;
            this.pause = pause;
            probes = new Timer(Probe);
        }

        /// <summary>Is told of every value. Nearly always it is none that stands in.</summary>
        internal void Saw(bool stale)
        {
            if (!stale || status == null) return;
            lock (changing)
            {
                if (ongoing || ended) return;
                ongoing = true;
                status.UpdateStatus(new DataStoreStatus { Available = false });
                Again();
            }
        }

        // Not until the one before has ended.
        private void Again() => probes.Change(pause, Timeout.InfiniteTimeSpan);

        private void Probe(object unused)
        {
            // The table answers only when it has what could not be written meanwhile: nothing needs to be sent again.
            bool back = available();
            lock (changing)
            {
                if (ended) return;
                ongoing = !back;
                if (back) status.UpdateStatus(new DataStoreStatus { Available = true });
                else Again();
            }
        }

        public void Dispose()
        {
            lock (changing)
            {
                ended = true;
                probes.Dispose();
            }
        }
    }
}
