using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore.Tests
{
    /// <summary>Many threads on one store: everyone gets what they asked for.</summary>
    public sealed class ConcurrencyTests
    {
        private const int Threads = 64;
        private const int Rounds = 25;

        private readonly string prefix = Endpoint.NewPrefix();

        // With time enough for 64 threads on a machine that is busy with something else.
        private static FlagStoreOptions Options(string prefix)
        {
            FlagStoreOptions options = Endpoint.Local.Options(prefix);
            options.AttemptTimeout = options.Timeout = TimeSpan.FromSeconds(30);
            return options;
        }

        [Test]
        public void EveryThreadGetsItsOwnAnswer()
        {
            foreach (int ttl in new[] { 0, 50, -1 })
            {
                FlagStoreOptions options = Options(prefix + ttl);
                options.CacheTtl = TimeSpan.FromMilliseconds(ttl);
                using (FlagStore store = FlagStore.Open(options))
                {
                    Check.Together(Threads, number =>
                    {
                        string key = "flag-" + number;
                        for (int version = 1; version <= Rounds; version++)
                        {
                            var item = new Item(version, new string((char)('a' + (number % 26)), number) + "é" + version);
                            Check.True(store.Upsert("features", key, item).Written);
                            Check.Equal(item, store.Get("features", key));
                            Check.Equal(item, store.Upsert("features", key, new Item(version - 1, "older")).Stored);
                            Check.Equal(null, store.Get("features", "nobody's-" + number));
                        }
                    });
                    Check.Sequence(
                        Enumerable.Repeat((long)Rounds, Threads), store.GetAll("features").Values.Select(item => item.Version));
                }
            }
        }

        [Test]
        public void EveryTaskGetsItsOwnAnswerWhileTheCollectorWorks()
        {
            bool over = false;
            // Each collection stops the thread that hands over results, wherever it just then is.
            var collecting = new Thread(() =>
            {
                while (!Volatile.Read(ref over))
                {
                    GC.Collect(0);
                    Thread.Sleep(1);
                }
            }) { IsBackground = true };
            using (FlagStore store = FlagStore.Open(Options(prefix)))
            {
                collecting.Start();
                try
                {
                    Task[] writers = Enumerable.Range(0, Threads).Select(number => Task.Run(async () =>
                    {
                        for (int round = 0; round < Rounds; round++)
                        {
                            string key = number + "/" + round;
                            var item = new Item(round, string.Concat(Enumerable.Repeat(key, number + 1)));
                            Check.True((await store.UpsertAsync("features", key, item)).Written);
                            Check.Equal(item, await store.GetAsync("features", key));
                        }
                    })).ToArray();
                    Array.ForEach(writers, writer =>
                    {
                        Check.Ends(writer);
                        writer.GetAwaiter().GetResult();
                    });
                }
                finally
                {
                    Volatile.Write(ref over, true);
                    collecting.Join();
                }
                Check.Equal(Threads * Rounds, store.GetAll("features").Count);
            }
        }

        [Test]
        public void OfRacingWritersTheHighestVersionWins()
        {
            using (FlagStore store = FlagStore.Open(Options(prefix)))
            {
                Check.Together(Threads, number =>
                {
                    for (int round = 0; round < 4; round++)
                    {
                        long version = (round * Threads) + number;
                        UpsertResult result = store.Upsert("features", "contested", new Item(version, "v" + version));
                        Check.True(result.Written || result.Stored.Version >= version);
                    }
                });
                long highest = (Threads * 4) - 1;
                Check.Equal(new Item(highest, "v" + highest), store.Get("features", "contested"));
            }
        }

        [Test]
        public void StoresMayBeOpenedAndClosedByManyThreads()
        {
            using (FlagStore store = FlagStore.Open(Options(prefix))) store.Upsert("features", "flag", new Item(1, "payload"));
            Check.Together(Threads, number =>
            {
                FlagStoreOptions options = Options(prefix);
                options.Shared = number % 2 == 0;
                using (FlagStore store = FlagStore.Open(options)) Check.Equal(new Item(1, "payload"), store.Get("features", "flag"));
            });
        }

        [Test]
        public void AStoreMayBeClosedWhileManyUseIt()
        {
            for (int round = 0; round < 10; round++)
            {
                FlagStore store = FlagStore.Open(Options(prefix));
                store.Upsert("features", "flag", new Item(1, "payload"));
                int refused = 0;
                Check.Together(16, number =>
                {
                    try
                    {
                        // Until it is refused: which of the threads is how far when the store is closed is anybody's guess.
                        for (int call = 0; call < 100_000; call++)
                        {
                            if (number == 0 && call == 20) store.Dispose();
                            Check.Equal("payload", store.Get("features", "flag").Payload);
                            Check.Equal("payload", store.GetAsync("features", "flag").GetAwaiter().GetResult().Payload);
                        }
                    }
                    catch (FlagStoreException error)
                    {
                        Check.Equal("STORE_ERROR_INVALID_HANDLE", error.CodeName);
                        Interlocked.Increment(ref refused);
                    }
                });
                Check.Equal(16, refused);
            }
        }
    }
}
