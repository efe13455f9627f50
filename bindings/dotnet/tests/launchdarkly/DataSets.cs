using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace Flagstore.Tests
{
    /// <summary><c>tests/data/evaluations.json</c>: 300 data sets, and 720 evaluations with what they should give.</summary>
    internal static class DataSets
    {
        internal sealed class Row
        {
            internal string Key;
            internal int Version;
            internal string Payload;
        }

        internal sealed class Set
        {
            internal string Name;
            internal List<Row> Flags;
            internal List<Row> Segments;
            internal List<IDictionary<string, object>> Evaluations;
        }

        internal static List<Set> Read()
        {
            string text = File.ReadAllText(Path.Combine(Endpoint.Repository, "tests", "data", "evaluations.json"));
            var suites = (List<object>)((IDictionary<string, object>)Json.Read(text))["suites"];
            List<Set> sets = suites.Cast<IDictionary<string, object>>().Select((suite, number) => new Set
            {
                Name = number + " " + suite["name"],
                Flags = Rows(suite, "flags"),
                Segments = Rows(suite, "segments"),
                Evaluations = ((List<object>)suite["evaluations"]).Cast<IDictionary<string, object>>().ToList(),
            }).ToList();
            Check.Equal(300, sets.Count);
            Check.Equal(720, sets.Sum(set => set.Evaluations.Count));
            return sets;
        }

        private static List<Row> Rows(IDictionary<string, object> suite, string kind)
        {
            if (!suite.TryGetValue(kind, out object items) || items == null) return new List<Row>();
            return ((IDictionary<string, object>)items).Select(item => new Row
            {
                Key = item.Key,
                Version = (int)(long)((IDictionary<string, object>)item.Value)["version"],
                Payload = Written(item.Value),
            }).ToList();
        }

        /// <summary>JSON of what <see cref="Json.Read"/> gives.</summary>
        internal static string Written(object value)
        {
            if (value == null) return "null";
            if (value is bool) return (bool)value ? "true" : "false";
            if (value is string) return Quoted((string)value);
            if (value is double) return ((double)value).ToString("R", CultureInfo.InvariantCulture);
            if (value is IDictionary<string, object> members)
            {
                return "{" + string.Join(",", members.Select(member => Quoted(member.Key) + ":" + Written(member.Value))) + "}";
            }
            if (value is IEnumerable elements) return "[" + string.Join(",", elements.Cast<object>().Select(Written)) + "]";
            return System.Convert.ToString(value, CultureInfo.InvariantCulture);
        }

        private static string Quoted(string text)
        {
            var quoted = new StringBuilder("\"");
            foreach (char unit in text)
            {
                if (unit == '"' || unit == '\\') quoted.Append('\\').Append(unit);
                else if (unit < ' ') quoted.Append("\\u").Append(((int)unit).ToString("x4", CultureInfo.InvariantCulture));
                else quoted.Append(unit);
            }
            return quoted.Append('"').ToString();
        }
    }
}
