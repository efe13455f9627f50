using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using static LaunchDarkly.Sdk.Server.Subsystems.DataStoreTypes;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Gives the SDK the rows that it can use, and no others: it deserialises a kind as a whole, and fails for all of its items
    /// at the first one that it cannot. So each is tried here with the SDK's own deserialiser. The SDK then does it once more,
    /// since a store can hand it nothing but text.
    /// </summary>
    internal sealed class RowReader
    {
        // More bad rows than this are warned about again rather than remembered.
        private const int Remembered = 10000;

        private readonly Log log;

        // The version of each row, by kind and key, that was warned about last.
        private readonly Dictionary<Tuple<string, string>, long> warned = new Dictionary<Tuple<string, string>, long>();

        internal RowReader(Log log)
        {
            this.log = log;
        }

        /// <summary>Null for a row that is left out.</summary>
        internal SerializedItemDescriptor? Read(DataKind kind, string key, Item row)
        {
            string reason = Unusable(kind, row);
            if (reason == null) return new SerializedItemDescriptor((int)row.Version, row.Deleted, row.Payload);
            Warn(kind, key, row.Version, reason);
            return null;
        }

        internal KeyedItems<SerializedItemDescriptor> ReadAll(DataKind kind, IReadOnlyDictionary<string, Item> rows)
        {
            var items = new List<KeyValuePair<string, SerializedItemDescriptor>>(rows.Count);
            foreach (KeyValuePair<string, Item> row in rows)
            {
                SerializedItemDescriptor? item = Read(kind, row.Key, row.Value);
                if (item.HasValue) items.Add(new KeyValuePair<string, SerializedItemDescriptor>(row.Key, item.Value));
            }
            return new KeyedItems<SerializedItemDescriptor>(items);
        }

        /// <summary>Why the SDK cannot use a row; null if it can.</summary>
        private static string Unusable(DataKind kind, Item row)
        {
            // Cut off, it would lose against versions that are older.
            if (row.Version > int.MaxValue) return "over " + int.MaxValue;
            if (row.Deleted) return null;
            try
            {
                // Its reader stops at 64 levels of nesting, so that none is deep enough to end the process.
                ItemDescriptor item = kind.Deserialize(row.Payload);
                if (MayOverflow(row.Payload)) kind.Serialize(item);
                return null;
            }
            catch (Exception error)
            {
                // Not the text of the error, which may quote the payload.
                return error.GetType().Name;
            }
        }

        /// <summary>
        /// Whether there is something like a number that a double has as infinity, which is read and cannot be written: one
        /// variation of that kind fails the JSON of all flags.
        /// </summary>
        private static bool MayOverflow(string payload)
        {
            int digits = 0;
            bool exponent = false;
            foreach (char unit in payload)
            {
                if (unit >= '0' && unit <= '9')
                {
                    digits++;
                    // With fewer of both, a number stays below 10^299.
                    if (digits == (exponent ? 3 : 200)) return true;
                }
                else
                {
                    exponent = (digits > 0 && (unit == 'e' || unit == 'E')) || (exponent && unit == '+');
                    digits = 0;
                }
            }
            return false;
        }

        private void Warn(DataKind kind, string key, long version, string reason)
        {
            lock (warned)
            {
                Tuple<string, string> row = Tuple.Create(kind.Name, key);
                if (warned.TryGetValue(row, out long before) && before == version) return;
                if (warned.Count >= Remembered) warned.Clear();
                warned[row] = version;
            }
            log.Write(
                EventLevel.Warn,
                "the item " + Quoted(key) + " in " + Quoted(kind.Name) + " is left out: the SDK cannot read its version " + version
                + " (" + reason + "); write it again with a newer version, or delete the row");
        }

        /// <summary>On one line, whatever the table has for a key.</summary>
        private static string Quoted(string text)
        {
            var quoted = new StringBuilder("\"");
            foreach (char unit in text)
            {
                UnicodeCategory category = char.GetUnicodeCategory(unit);
                bool breaks = category == UnicodeCategory.Control || category == UnicodeCategory.LineSeparator
                    || category == UnicodeCategory.ParagraphSeparator;
                if (breaks) quoted.Append("\\u").Append(((int)unit).ToString("x4", CultureInfo.InvariantCulture));
                else if (unit == '"' || unit == '\\') quoted.Append('\\').Append(unit);
                else quoted.Append(unit);
            }
            return quoted.Append('"').ToString();
        }
    }
}
