using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
#if NETCOREAPP
using System.Text.Json;
#endif

namespace Flagstore
{
    /// <summary>
    /// Writes options, and reads the library's reports and statistics, with System.Text.Json where the framework has it:
    /// netstandard2.0 has no JSON, and a package for these two would weigh more than they do. What is read comes from the library alone, so a text that is no JSON is a bug and not
    /// told in detail.
    /// </summary>
    internal sealed class Json
    {
        /// <summary>An object of options; those that are null are left out.</summary>
        internal static string Options(IEnumerable<KeyValuePair<string, object>> options)
        {
            var json = new StringBuilder("{");
            foreach (KeyValuePair<string, object> option in options)
            {
                if (option.Value == null) continue;
                if (json.Length > 1) json.Append(',');
                Quote(json, option.Key);
                json.Append(':');
                Value(json, option.Key, option.Value);
            }
            return json.Append('}').ToString();
        }

        private static void Value(StringBuilder json, string name, object value)
        {
            if (value is string || value is Uri)
            {
                Quote(json, (value as Uri)?.OriginalString ?? (string)value);
            }
            else if (value is bool)
            {
                json.Append((bool)value ? "true" : "false");
            }
            else if (value is int || value is long)
            {
                json.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
            }
            else if (value is TimeSpan)
            {
                json.Append(Milliseconds((TimeSpan)value).ToString(CultureInfo.InvariantCulture));
            }
            else
            {
                throw new FlagStoreException(
                    FlagStoreException.OptionType, "STORE_ERROR_OPTION_TYPE", false,
                    "the option \"" + name + "\" takes a string, bool, int, long, TimeSpan or Uri, not "
                    + value.GetType().FullName);
            }
        }

        /// <summary>What is not zero stays so: zero has a meaning of its own for some options.</summary>
        private static long Milliseconds(TimeSpan time)
        {
            long whole = time.Ticks / TimeSpan.TicksPerMillisecond;
            return whole == 0 ? Math.Sign(time.Ticks) : whole;
        }

        private static void Quote(StringBuilder json, string text)
        {
            json.Append('"');
            foreach (char unit in text)
            {
                if (unit == '"' || unit == '\\') json.Append('\\').Append(unit);
                else if (unit < ' ') json.Append("\\u").Append(((int)unit).ToString("x4", CultureInfo.InvariantCulture));
                else json.Append(unit);
            }
            json.Append('"');
        }

#if NETCOREAPP
        /// <summary>Dictionaries, lists, strings, longs, doubles, booleans and null.</summary>
        internal static object Read(string text)
        {
            using (JsonDocument document = JsonDocument.Parse(text)) return Value(document.RootElement);
        }

        private static object Value(JsonElement element)
        {
            switch (element.ValueKind)
            {
                case JsonValueKind.Object:
                    var members = new Dictionary<string, object>(StringComparer.Ordinal);
                    foreach (JsonProperty member in element.EnumerateObject()) members[member.Name] = Value(member.Value);
                    return members;
                case JsonValueKind.Array:
                    return element.EnumerateArray().Select(Value).ToList();
                case JsonValueKind.String:
                    return element.GetString();
                case JsonValueKind.Number:
                    return element.TryGetInt64(out long whole) ? (object)whole : element.GetDouble();
                case JsonValueKind.Null:
                    return null;
                default:
                    return element.GetBoolean();
            }
        }
#else
        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        /// <summary>Dictionaries, lists, strings, longs, doubles, booleans and null.</summary>
        internal static object Read(string text) => new Json(text).Value();

        private object Value()
        {
            switch (Peek())
            {
                case '{':
                    return Object();
                case '[':
                    return Array();
                case '"':
                    return String();
                default:
                    return Word();
            }
        }

        private Dictionary<string, object> Object()
        {
            var members = new Dictionary<string, object>(StringComparer.Ordinal);
            at++;
            while (Peek() != '}')
            {
                string name = String();
                Peek();
                at++;
                members[name] = Value();
                if (Peek() == ',') at++;
            }
            at++;
            return members;
        }

        private List<object> Array()
        {
            var elements = new List<object>();
            at++;
            while (Peek() != ']')
            {
                elements.Add(Value());
                if (Peek() == ',') at++;
            }
            at++;
            return elements;
        }

        private string String()
        {
            var value = new StringBuilder();
            Peek();
            at++;
            while (true)
            {
                char unit = text[at++];
                if (unit == '"') return value.ToString();
                value.Append(unit == '\\' ? Escaped() : unit);
            }
        }

        private char Escaped()
        {
            char unit = text[at++];
            int simple = "bfnrt".IndexOf(unit);
            if (simple >= 0) return "\b\f\n\r\t"[simple];
            if (unit != 'u') return unit;
            at += 4;
            return (char)int.Parse(text.Substring(at - 4, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        private object Word()
        {
            int start = at;
            while (at < text.Length && ",]} \n".IndexOf(text[at]) < 0) at++;
            string word = text.Substring(start, at - start);
            switch (word)
            {
                case "true":
                    return true;
                case "false":
                    return false;
                case "null":
                    return null;
            }
            if (long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole)) return whole;
            return double.Parse(word, CultureInfo.InvariantCulture);
        }

        /// <summary>The next character that is no white space.</summary>
        private char Peek()
        {
            while (char.IsWhiteSpace(text[at])) at++;
            return text[at];
        }
#endif
    }
}
