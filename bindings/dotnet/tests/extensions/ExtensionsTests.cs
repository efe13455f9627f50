using System;
using System.Collections.Generic;
using System.Linq;
using Flagstore.Extensions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Flagstore.Tests
{
    /// <summary>A store that a container has, and the logger that its events go to.</summary>
    public sealed class ExtensionsTests
    {
        private sealed class Recorder : ILoggerProvider, ILogger
        {
            internal readonly List<string> Entries = new List<string>();
            internal bool Fails;

            public ILogger CreateLogger(string category)
            {
                Entries.Add("logger " + category);
                return this;
            }

            public IDisposable BeginScope<TState>(TState state) => null;

            public bool IsEnabled(LogLevel level) => true;

            public void Log<TState>(LogLevel level, EventId id, TState state, Exception error, Func<TState, Exception, string> formatted)
            {
                if (Fails) throw new InvalidOperationException("no room");
                Entries.Add(level + " " + formatted(state, error));
            }

            public void Dispose()
            {
            }
        }

        private static void Configure(FlagStoreOptions options)
        {
            foreach (KeyValuePair<string, object> option in Endpoint.Local.Options(Endpoint.NewPrefix()).All) options[option.Key] = option.Value;
        }

        private static IServiceCollection WithLogger(Recorder recorder) =>
            new ServiceCollection().AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(recorder));

        private static void Init(FlagStore store) => store.InitJson("{\"flags\":{\"{0}\":{\"version\":1}}}");

        [Test]
        public void AContainerHasOneStoreAndClosesIt()
        {
            FlagStore store;
            var opened = 0;
            IServiceCollection services = new ServiceCollection().AddFlagstore(Endpoint.Table, options =>
            {
                opened++;
                Configure(options);
            });
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Check.Equal(0, opened);
                store = provider.GetRequiredService<FlagStore>();
                Check.True(ReferenceEquals(store, provider.GetRequiredService<FlagStore>()));
                Init(store);
                Check.True(store.Initialized());
                Check.Equal(1, opened);
            }
            Check.Fails("INVALID_HANDLE", false, () => store.Initialized());
        }

        [Test]
        public void EventsGoToTheContainersLogger()
        {
            var recorder = new Recorder();
            using (ServiceProvider provider = WithLogger(recorder).AddFlagstore(Endpoint.Table, Configure).BuildServiceProvider())
            {
                Init(provider.GetRequiredService<FlagStore>());
            }
            Check.Equal("logger Flagstore", recorder.Entries.First());
            Check.True(recorder.Entries.Any(entry => entry.StartsWith("Information initialised table \"flags\"", StringComparison.Ordinal)), string.Join("\n", recorder.Entries));
        }

        [Test]
        public void TheContainerGivesOptions()
        {
            var recorder = new Recorder();
            IServiceCollection services = WithLogger(recorder).AddSingleton(new Uri("http://127.0.0.1:1"))
                .AddFlagstore(Endpoint.Table, (provider, options) =>
                {
                    Configure(options);
                    options.Endpoint = provider.GetRequiredService<Uri>();
                    options.Timeout = TimeSpan.FromMilliseconds(200);
                    options.OnEvent = told => { };
                });
            using (ServiceProvider provider = services.BuildServiceProvider())
            {
                Check.Fails("CONNECTION", true, () => provider.GetRequiredService<FlagStore>().Get("features", "flag"));
            }
            Check.Sequence(new string[0], recorder.Entries.Where(entry => entry.Contains("Flagstore")));
        }

        [Test]
        public void ALoggerThatFailsChangesNoCall()
        {
            var recorder = new Recorder { Fails = true };
            var options = new FlagStoreOptions(Endpoint.Table);
            Configure(options);
            using (FlagStore store = FlagStore.Open(options.LogTo(recorder)))
            {
                Init(store);
                Check.True(store.Initialized());
            }
        }
    }
}
