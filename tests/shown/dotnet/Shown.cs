// The SDK's settings with a store of this library in them, and the store alone. What stands in for the SDK takes no settings.
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Flagstore;
using LaunchDarkly.Sdk.Server.Subsystems;
// IMPORTS

public sealed class Configuration
{
    public static Configuration Builder(string sdkKey) => new Configuration();

    public Configuration DataStore(object store) => this;

    public Configuration BigSegments(object store) => this;

    public Configuration Build() => this;
}

public sealed class Components
{
    public static Components PersistentDataStore(IComponentConfigurer<IPersistentDataStore> store) => new Components();

    public static Components BigSegments(IComponentConfigurer<IBigSegmentStore> store) => new Components();

    public Components CacheSeconds(int seconds) => this;
}

public static class Shown
{
    private static void OneLine(Configuration config)
    {
        // SHOWN(README.md, 1)
    }

    private static void ItsOwnReadme()
    {
        // SHOWN(bindings/dotnet/README.md, 1)
    }

    private static void WithBigSegments()
    {
        // SHOWN(bindings/dotnet/README.md, 2)
    }

    private static async Task Store(IDictionary<string, Item> segments, IDictionary<string, Item> features, string json)
    {
        // SHOWN(bindings/dotnet/README.md, 3)
        using (FlagStore store = FlagStore.Open(options))
        {
            Item flag = store.Get("features", "my-flag");
            if (flag.Version != 3 || !flag.Deleted) throw new InvalidOperationException(flag.ToString());
        }
    }

    private static void Doctor()
    {
        // SHOWN(bindings/dotnet/README.md, 4)
    }

    public static void Main()
    {
        OneLine(Configuration.Builder("sdk-key"));
        ItsOwnReadme();
        WithBigSegments();
        var features = new Dictionary<string, Item> { ["my-flag"] = new Item(1, "{\"key\":\"my-flag\",\"version\":1}") };
        Store(new Dictionary<string, Item>(), features, "{\"key\":\"my-flag\",\"version\":2}").GetAwaiter().GetResult();
        Doctor();
    }
}
