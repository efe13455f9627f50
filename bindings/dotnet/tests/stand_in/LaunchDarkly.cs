// Signatures of LaunchDarkly.ServerSdk 8 and LaunchDarkly.Logging 2 that the adapter and its tests use, so that both compile
// where NuGet cannot be reached. Never shipped. `make test-dotnet-sdk` takes the SDK itself instead.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;

namespace LaunchDarkly.Logging
{
    public enum LogLevel
    {
        Debug,
        Info,
        Warn,
        Error,
        None
    }

    public interface IChannel
    {
        void Log(LogLevel level, object message);
    }

    public interface ILogAdapter
    {
        IChannel NewChannel(string name);
    }

    public sealed class Logger
    {
        private readonly string name;
        private readonly ILogAdapter adapter;
        private readonly IChannel channel;

        internal Logger(string name, ILogAdapter adapter)
        {
            this.name = name;
            this.adapter = adapter;
            channel = adapter.NewChannel(name);
        }

        public Logger SubLogger(string nameSuffix) => new Logger(name + "." + nameSuffix, adapter);

        public void Debug(object message) => channel.Log(LogLevel.Debug, message);

        public void Info(object message) => channel.Log(LogLevel.Info, message);

        public void Warn(object message) => channel.Log(LogLevel.Warn, message);

        public void Error(object message) => channel.Log(LogLevel.Error, message);
    }

    public static class Logs
    {
        public static LogCapture Capture() => new LogCapture();

        public static SimpleLogging ToMethod(Action<string> writeLineMethod) => new SimpleLogging(writeLineMethod);
    }

    public static class Extensions
    {
        public static Logger Logger(this ILogAdapter adapter, string name) => new Logger(name, adapter);
    }

    public sealed class SimpleLogging : ILogAdapter, IChannel
    {
        private readonly Action<string> writeLine;

        internal SimpleLogging(Action<string> writeLine)
        {
            this.writeLine = writeLine;
        }

        public IChannel NewChannel(string name) => this;

        public void Log(LogLevel level, object message) => writeLine(level + ": " + message);
    }

    public class LogCapture : ILogAdapter
    {
        private readonly List<Message> messages = new List<Message>();

        public IChannel NewChannel(string name) => new Channel(name, messages);

        private sealed class Channel : IChannel
        {
            private readonly string name;
            private readonly List<Message> messages;

            internal Channel(string name, List<Message> messages)
            {
                this.name = name;
                this.messages = messages;
            }

            public void Log(LogLevel level, object message)
            {
                lock (messages) messages.Add(new Message(name, level, message.ToString()));
            }
        }

        public struct Message
        {
            public Message(string loggerName, LogLevel level, string text)
            {
                LoggerName = loggerName;
                Level = level;
                Text = text;
            }

            public string LoggerName { get; }
            public LogLevel Level { get; }
            public string Text { get; }
        }

        public List<Message> GetMessages()
        {
            lock (messages) return messages.ToList();
        }
    }
}

namespace LaunchDarkly.Sdk
{
    public struct LdValue : IEquatable<LdValue>
    {
        private readonly string text;

        private LdValue(string text)
        {
            this.text = text;
        }

        public static LdValue Of(string value) => new LdValue(value);

        public bool Equals(LdValue other) => text == other.text;
    }

    public struct UnixMillisecondTime
    {
        private UnixMillisecondTime(long value)
        {
            Value = value;
        }

        public long Value { get; }

        public static UnixMillisecondTime OfMillis(long millis) => new UnixMillisecondTime(millis);
    }
}

namespace LaunchDarkly.Sdk.Server
{
    using Subsystems;

    public static class DataModel
    {
        public static DataStoreTypes.DataKind Features = new DataStoreTypes.DataKind("features", Model.Write, Model.ReadFlag);

        public static DataStoreTypes.DataKind Segments = new DataStoreTypes.DataKind("segments", Model.Write, Model.ReadSegment);
    }
}

namespace LaunchDarkly.Sdk.Server.Interfaces
{
    public struct DataStoreStatus
    {
        public bool Available { get; set; }

        public bool RefreshNeeded { get; set; }
    }

    public class ServiceEndpoints
    {
    }
}

namespace LaunchDarkly.Sdk.Server.Subsystems
{
    using LaunchDarkly.Logging;
    using LaunchDarkly.Sdk.Server.Interfaces;

    public interface IDataSourceUpdates
    {
    }

    public interface IDataStoreUpdates
    {
        void UpdateStatus(Interfaces.DataStoreStatus newStatus);
    }

    public sealed class HttpConfiguration
    {
    }

    public sealed class LdClientContext
    {
        public LdClientContext(
            string sdkKey,
            IDataSourceUpdates dataSourceUpdates,
            IDataStoreUpdates dataStoreUpdates,
            HttpConfiguration http,
            Logger logger,
            bool offline,
            ServiceEndpoints serviceEndpoints)
        {
            Logger = logger ?? Logs.Capture().Logger("");
            DataStoreUpdates = dataStoreUpdates;
        }

        public Logger Logger { get; }

        public IDataStoreUpdates DataStoreUpdates { get; }
    }

    public interface IComponentConfigurer<T>
    {
        T Build(LdClientContext context);
    }

    public interface IDiagnosticDescription
    {
        LdValue DescribeConfiguration(LdClientContext context);
    }

    public interface IPersistentDataStore : IDisposable
    {
        void Init(DataStoreTypes.FullDataSet<DataStoreTypes.SerializedItemDescriptor> allData);
        DataStoreTypes.SerializedItemDescriptor? Get(DataStoreTypes.DataKind kind, string key);
        DataStoreTypes.KeyedItems<DataStoreTypes.SerializedItemDescriptor> GetAll(DataStoreTypes.DataKind kind);
        bool Upsert(DataStoreTypes.DataKind kind, string key, DataStoreTypes.SerializedItemDescriptor item);
        bool Initialized();
        bool IsStoreAvailable();
    }

    public interface IBigSegmentStore : IDisposable
    {
        Task<BigSegmentStoreTypes.IMembership> GetMembershipAsync(string userHash);
        Task<BigSegmentStoreTypes.StoreMetadata?> GetMetadataAsync();
    }

    public static class BigSegmentStoreTypes
    {
        public interface IMembership
        {
            bool? CheckMembership(string segmentRef);
        }

        public static IMembership NewMembershipFromSegmentRefs(
            IEnumerable<string> includedSegmentRefs, IEnumerable<string> excludedSegmentRefs)
        {
            var segments = new Membership();
            foreach (string segment in excludedSegmentRefs) segments[segment] = false;
            foreach (string segment in includedSegmentRefs) segments[segment] = true;
            return segments;
        }

        public struct StoreMetadata
        {
            public UnixMillisecondTime? LastUpToDate { get; set; }
        }

        private sealed class Membership : Dictionary<string, bool>, IMembership
        {
            public bool? CheckMembership(string segmentRef) => TryGetValue(segmentRef, out bool included) ? included : (bool?)null;
        }
    }

    public static class DataStoreTypes
    {
        public sealed class DataKind
        {
            private readonly Func<ItemDescriptor, string> serializer;
            private readonly Func<string, ItemDescriptor> deserializer;

            public DataKind(string name, Func<ItemDescriptor, string> serializer, Func<string, ItemDescriptor> deserializer)
            {
                Name = name;
                this.serializer = serializer;
                this.deserializer = deserializer;
            }

            public string Name { get; }

            public string Serialize(ItemDescriptor item) => serializer(item);

            public ItemDescriptor Deserialize(string serializedData) => deserializer(serializedData);
        }

        public struct ItemDescriptor
        {
            public ItemDescriptor(int version, object item)
            {
                Version = version;
                Item = item;
            }

            public int Version { get; }
            public object Item { get; }
        }

        public struct SerializedItemDescriptor
        {
            public SerializedItemDescriptor(int version, bool deleted, string serializedItem)
            {
                Version = version;
                Deleted = deleted;
                SerializedItem = serializedItem;
            }

            public int Version { get; }
            public bool Deleted { get; }
            public string SerializedItem { get; }
        }

        public struct FullDataSet<TDescriptor>
        {
            public FullDataSet(IEnumerable<KeyValuePair<DataKind, KeyedItems<TDescriptor>>> data)
            {
                Data = data;
            }

            public IEnumerable<KeyValuePair<DataKind, KeyedItems<TDescriptor>>> Data { get; }
        }

        public struct KeyedItems<TDescriptor>
        {
            public KeyedItems(IEnumerable<KeyValuePair<string, TDescriptor>> items)
            {
                Items = items;
            }

            public IEnumerable<KeyValuePair<string, TDescriptor>> Items { get; }
        }
    }
}
