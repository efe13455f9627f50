using System;
using System.Collections.Generic;
using System.Linq;

namespace Flagstore
{
    /// <summary>What came of an upsert.</summary>
    public enum UpsertOutcome
    {
        /// <summary>The table holds the new item.</summary>
        Written,

        /// <summary>The table held this version or a newer one, which stays.</summary>
        NewerExists,

        /// <summary>The item is over DynamoDB's 400 KB; the older row, if any, stays.</summary>
        TooLarge
    }

    /// <summary>What came of an upsert, and the item that stood in its way.</summary>
    public sealed class UpsertResult
    {
        internal UpsertResult(UpsertOutcome outcome, Item stored)
        {
            Outcome = outcome;
            Stored = stored;
        }

        /// <summary>What came of it.</summary>
        public UpsertOutcome Outcome { get; }

        /// <summary>With <see cref="UpsertOutcome.NewerExists"/> the item in the table, else null.</summary>
        public Item Stored { get; }

        /// <summary>Whether the table holds the new item.</summary>
        public bool Written => Outcome == UpsertOutcome.Written;
    }

    /// <summary>What an init did, in rows.</summary>
    public sealed class InitReport
    {
        private InitReport(IDictionary<string, object> report)
        {
            Written = (long)report["written"];
            Unchanged = (long)report["unchanged"];
            Deleted = (long)report["deleted"];
            KeptNewer = (long)report["kept_newer"];
            TooLarge = ((List<object>)report["too_large"])
                .Select(item => new TooLargeItem((IDictionary<string, object>)item)).ToList();
            Replaced = InitReason.Of(report["replaced"]);
            Kept = InitReason.Of(report["kept"]);
            LeftOut = InitReason.Of(report["left_out"]);
        }

        /// <summary>Rows that were new or different.</summary>
        public long Written { get; }

        /// <summary>Rows that were there already.</summary>
        public long Unchanged { get; }

        /// <summary>Rows that the data set does not have.</summary>
        public long Deleted { get; }

        /// <summary>Rows that stayed because they were newer than the data set.</summary>
        public long KeptNewer { get; }

        /// <summary>Items that were left out.</summary>
        public IReadOnlyList<TooLargeItem> TooLarge { get; }

        /// <summary>
        /// Rows written over what a version alone would have kept, by reason. The names are those of flagstore.h.
        /// </summary>
        public IReadOnlyDictionary<string, InitReason> Replaced { get; }

        /// <summary>Rows that the data set would not have, by reason.</summary>
        public IReadOnlyDictionary<string, InitReason> Kept { get; }

        /// <summary>Items that were not taken, by reason.</summary>
        public IReadOnlyDictionary<string, InitReason> LeftOut { get; }

        internal static InitReport Of(string json) => new InitReport((IDictionary<string, object>)Json.Read(json));
    }

    /// <summary>How many rows something happened to for one reason, and the first of them.</summary>
    public sealed class InitReason
    {
        private InitReason(IDictionary<string, object> rows)
        {
            Count = (long)rows["count"];
            First = ((List<object>)rows["keys"]).Cast<IDictionary<string, object>>()
                .Select(row => new KeyValuePair<string, string>((string)row["kind"], (string)row["key"])).ToList();
        }

        /// <summary>Their number.</summary>
        public long Count { get; }

        /// <summary>Kind and key of the first ten.</summary>
        public IReadOnlyList<KeyValuePair<string, string>> First { get; }

        internal static IReadOnlyDictionary<string, InitReason> Of(object reasons) =>
            ((IDictionary<string, object>)reasons).ToDictionary(
                reason => reason.Key, reason => new InitReason((IDictionary<string, object>)reason.Value));
    }

    /// <summary>
    /// An item that an init left out because it is over DynamoDB's 400 KB. Its older row, if any, stayed.
    /// </summary>
    public sealed class TooLargeItem
    {
        internal TooLargeItem(IDictionary<string, object> item)
        {
            Kind = (string)item["kind"];
            Key = (string)item["key"];
            Bytes = (long)item["bytes"];
        }

        /// <summary>Its kind.</summary>
        public string Kind { get; }

        /// <summary>Its key.</summary>
        public string Key { get; }

        /// <summary>Its size in bytes, as DynamoDB counts it.</summary>
        public long Bytes { get; }
    }

    /// <summary>How severe an event is; the numbers are those of flagstore.h.</summary>
    public enum EventLevel
    {
        /// <summary>Something was not done.</summary>
        Error = 1,

        /// <summary>Something needs a look.</summary>
        Warn = 2,

        /// <summary>Something happened.</summary>
        Info = 3,

        /// <summary>For whoever looks for a fault.</summary>
        Debug = 4
    }

    /// <summary>Something that a store reports besides the results of calls, such as a row that was left out.</summary>
    public sealed class StoreEvent
    {
        internal StoreEvent(EventLevel level, string message)
        {
            Level = level;
            Message = message;
        }

        /// <summary>How severe it is.</summary>
        public EventLevel Level { get; }

        /// <summary>What happened; it holds neither a credential nor a payload.</summary>
        public string Message { get; }
    }
}
