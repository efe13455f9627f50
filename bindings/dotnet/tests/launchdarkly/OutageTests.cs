using System;
using System.Collections.Concurrent;
using System.Threading;
using Flagstore.LaunchDarkly;
using LaunchDarkly.Sdk.Server.Interfaces;
using LaunchDarkly.Sdk.Server.Subsystems;

namespace Flagstore.Tests
{
    /// <summary>What the SDK's data store status is told while values stand in for DynamoDB.</summary>
    public sealed class OutageTests
    {
        private sealed class Told : IDataStoreUpdates
        {
            internal readonly BlockingCollection<bool> Available = new BlockingCollection<bool>();

            public void UpdateStatus(DataStoreStatus newStatus) => Available.Add(newStatus.Available);

            internal bool Next()
            {
                Check.True(Available.TryTake(out bool available, TimeSpan.FromSeconds(30)), "nothing was said");
                return available;
            }
        }

        [Test]
        public void AnOutageIsToldOnceAndSoIsItsEnd()
        {
            var told = new Told();
            bool away = false;
            int probes = 0;
            Func<bool> available = () =>
            {
                Interlocked.Increment(ref probes);
                return !Volatile.Read(ref away);
            };
            using (var outage = new Outage(available, told, TimeSpan.FromMilliseconds(1)))
            {
                outage.Saw(false);
                Check.Equal(0, told.Available.Count);
                for (int round = 0; round < 2; round++)
                {
                    Volatile.Write(ref away, true);
                    int before = Volatile.Read(ref probes);
                    for (int stale = 0; stale < 3; stale++) outage.Saw(true);
                    Check.Equal(false, told.Next());
                    while (Volatile.Read(ref probes) < before + 3) Thread.Yield();
                    Check.Equal(0, told.Available.Count);
                    Volatile.Write(ref away, false);
                    Check.Equal(true, told.Next());
                }
                Volatile.Write(ref away, true);
                outage.Saw(true);
                Check.Equal(false, told.Next());
            }
            Volatile.Write(ref away, false);
            Check.Equal(0, told.Available.Count);
        }

        [Test]
        public void WithoutAStatusThereIsNothingToTell()
        {
            using (var outage = new Outage(() => true, null, TimeSpan.Zero)) outage.Saw(true);
        }
    }
}
