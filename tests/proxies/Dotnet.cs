using System;
using Flagstore;

/// <summary>One call of one process, as in python.py; the options are its arguments, each name before its value.</summary>
public static class Dotnet
{
    public static int Main(string[] arguments)
    {
        var options = new FlagStoreOptions(arguments[0]);
        for (var next = 1; next < arguments.Length; next += 2)
        {
            options[arguments[next]] = arguments[next + 1];
        }
        try
        {
            using (var store = FlagStore.Open(options))
            {
                Console.WriteLine(store.Get("features", "flag").Payload);
            }
            return 0;
        }
        catch (FlagStoreException error)
        {
            Console.WriteLine(error.Message);
            return 1;
        }
    }
}
