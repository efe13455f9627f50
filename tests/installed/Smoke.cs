using System;
using Flagstore;

/// <summary>As smoke.py.</summary>
public static class Smoke
{
    public static void Main(string[] arguments)
    {
        var options = new FlagStoreOptions("flags")
        {
            ["prefix"] = arguments[1],
            ["endpoint"] = arguments[0],
            ["region"] = "eu-west-1",
            ["access_key_id"] = "local",
            ["secret_access_key"] = "local",
        };
        using (var store = FlagStore.Open(options))
        {
            Expect("not initialized", !store.Initialized());
            Expect("one row", store.InitJson("{\"flags\":{\"flag\":" + Payload(1) + "}}").Written == 1);
            Expect("the first version", store.Get("features", "flag").Payload == Payload(1));
            Expect("written", store.Upsert("features", "flag", new Item(2, Payload(2))).Written);
            Expect("the second version", store.Get("features", "flag").Payload == Payload(2));
            Expect("initialized", store.Initialized());
        }
        Console.WriteLine("used " + FlagStore.LibraryVersion);
    }

    private static string Payload(int version) =>
        "{\"key\":\"flag\",\"version\":" + version + ",\"salt\":\"\u00e4\u6f22\"}";

    private static void Expect(string what, bool holds)
    {
        if (!holds) throw new InvalidOperationException("not so: " + what);
    }
}
