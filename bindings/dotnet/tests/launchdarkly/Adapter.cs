using System;
using System.Collections.Generic;
using System.Linq;
using Flagstore.LaunchDarkly;
using LaunchDarkly.Logging;
using LaunchDarkly.Sdk.Server;
using LaunchDarkly.Sdk.Server.Subsystems;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.Tests
{
    /// <summary>Stores as the SDK gets them.</summary>
    internal static class Adapter
    {
        internal static readonly DataKind Features = DataModel.Features;
        internal static readonly DataKind Segments = DataModel.Segments;

        internal static DynamoDBStoreBuilder<T> On<T>(Endpoint endpoint, DynamoDBStoreBuilder<T> builder, string prefix) =>
            builder.Prefix(prefix).Endpoint(endpoint.Url).Region("us-east-1").Credentials("test", Endpoint.Secret);

        internal static T Built<T>(DynamoDBStoreBuilder<T> builder, ILogAdapter log) =>
            builder.Build(new LdClientContext("", null, null, null, log.Logger("Sdk"), false, null));

        internal static IPersistentDataStore Store(Endpoint endpoint, string prefix, ILogAdapter log = null) =>
            Built(On(endpoint, DynamoDB.DataStore(Endpoint.Table), prefix), log ?? Logs.Capture());

        internal static SerializedItemDescriptor Live(int version, string payload) => new SerializedItemDescriptor(version, false, payload);

        internal static SerializedItemDescriptor Deleted(int version, string payload = null) =>
            new SerializedItemDescriptor(version, true, payload);

        internal static FullDataSet<SerializedItemDescriptor> Data(DataKind kind, params KeyValuePair<string, SerializedItemDescriptor>[] items) =>
            new FullDataSet<SerializedItemDescriptor>(new[] { Kind(kind, items) });

        internal static KeyValuePair<DataKind, KeyedItems<SerializedItemDescriptor>> Kind(
            DataKind kind, params KeyValuePair<string, SerializedItemDescriptor>[] items) =>
            new KeyValuePair<DataKind, KeyedItems<SerializedItemDescriptor>>(kind, new KeyedItems<SerializedItemDescriptor>(items));

        internal static KeyValuePair<string, SerializedItemDescriptor> Of(string key, SerializedItemDescriptor item) =>
            new KeyValuePair<string, SerializedItemDescriptor>(key, item);

        internal static void Same(SerializedItemDescriptor expected, SerializedItemDescriptor? actual) =>
            Check.Equal(Shown(expected), actual.HasValue ? Shown(actual.Value) : null);

        internal static void All(IPersistentDataStore store, DataKind kind, params KeyValuePair<string, SerializedItemDescriptor>[] expected) =>
            Check.Same(
                expected.Select(item => new KeyValuePair<string, string>(item.Key, Shown(item.Value))),
                store.GetAll(kind).Items.Select(item => new KeyValuePair<string, string>(item.Key, Shown(item.Value))));

        private static string Shown(SerializedItemDescriptor item) => item.Version + (item.Deleted ? " deleted " : " live ") + item.SerializedItem;

        internal static List<string> Logged(LogCapture log, LogLevel level, string logger) =>
            log.GetMessages().Where(message => message.Level == level && message.LoggerName == "Sdk." + logger)
                .Select(message => message.Text).ToList();
    }
}
