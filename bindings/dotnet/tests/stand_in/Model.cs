// Reads and writes flags and segments as strictly as the SDK does: what it refuses, this refuses. UnreadableRowsTests, which
// run with the SDK itself too, compare the two.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace LaunchDarkly.Sdk.Server
{
    using static Subsystems.DataStoreTypes;

    internal static class Model
    {
        private delegate void Shape(object value);

        private static readonly Shape Clause = Object(
            Member("contextKind", Text), Member("attribute", Text), Member("op", Text), Member("values", ListOf(Anything)),
            Member("negate", Truth));

        private static readonly Shape Rollout = Object(
            Member("variations", ListOf(Object(Member("variation", Whole), Member("weight", Whole), Member("untracked", Truth)))),
            Member("contextKind", Text), Member("bucketBy", Text), Member("kind", Text), Member("seed", OrNull(Whole)));

        private static readonly KeyValuePair<string, Shape>[] Outcome =
        {
            Member("variation", OrNull(Whole)), Member("rollout", OrNull(Rollout)),
        };

        private static readonly Shape Target = Object(
            Member("contextKind", Text), Member("values", ListOf(Text)), Member("variation", Whole));

        private static readonly Shape Flag = Object(
            Member("key", Text), Member("version", Whole), Member("deleted", Truth), Member("on", Truth), Member("salt", Text),
            Member("prerequisites", ListOf(Object(Member("key", Text), Member("variation", Whole)))),
            Member("targets", ListOf(Target)), Member("contextTargets", ListOf(Target)),
            Member("rules", ListOf(Object(Outcome.Concat(new[]
            {
                Member("id", Text), Member("clauses", ListOf(Clause)), Member("trackEvents", Truth),
            }).ToArray()))),
            Member("fallthrough", OrNull(Object(Outcome))), Member("offVariation", OrNull(Whole)), Member("variations", ListOf(Anything)),
            Member("trackEvents", Truth), Member("trackEventsFallthrough", Truth), Member("clientSide", Truth));

        private static readonly Shape SegmentTarget = Object(Member("contextKind", Text), Member("values", ListOf(Text)));

        private static readonly Shape Segment = Object(
            Member("key", Text), Member("version", Whole), Member("deleted", Truth), Member("salt", Text), Member("unbounded", Truth),
            Member("included", ListOf(Text)), Member("excluded", ListOf(Text)), Member("generation", OrNull(Whole)),
            Member("includedContexts", ListOf(SegmentTarget)), Member("excludedContexts", ListOf(SegmentTarget)),
            Member("rules", ListOf(Object(
                Member("id", Text), Member("clauses", ListOf(Clause)), Member("weight", OrNull(Whole)), Member("bucketBy", Text),
                Member("rolloutContextKind", Text)))));

        internal static ItemDescriptor ReadFlag(string payload) => Read(Flag, payload);

        internal static ItemDescriptor ReadSegment(string payload) => Read(Segment, payload);

        private static ItemDescriptor Read(Shape shape, string payload)
        {
            object item = new StrictJson(payload).Document();
            shape(item);
            var members = (Dictionary<string, object>)item;
            bool deleted = members.TryGetValue("deleted", out object value) && (bool)value;
            if (!members.ContainsKey("version")) throw new FormatException("no version");
            if (!deleted && (!members.TryGetValue("key", out object key) || key == null)) throw new FormatException("no key");
            return new ItemDescriptor((int)(double)members["version"], deleted ? null : item);
        }

        /// <summary>What the SDK would write is not needed, but that it cannot write every number.</summary>
        internal static string Write(ItemDescriptor item)
        {
            Finite(item.Item);
            return "";
        }

        private static void Finite(object value)
        {
            if (value is double number && (double.IsInfinity(number) || double.IsNaN(number))) throw new ArgumentException("not in JSON");
            IEnumerable<object> elements = (value as Dictionary<string, object>)?.Values ?? value as IEnumerable<object>;
            foreach (object element in elements ?? new object[0]) Finite(element);
        }

        private static KeyValuePair<string, Shape> Member(string name, Shape shape) => new KeyValuePair<string, Shape>(name, shape);

        private static Shape Object(params KeyValuePair<string, Shape>[] members)
        {
            Dictionary<string, Shape> known = members.ToDictionary(member => member.Key, member => member.Value);
            return value =>
            {
                foreach (KeyValuePair<string, object> member in Is<Dictionary<string, object>>(value))
                {
                    if (known.TryGetValue(member.Key, out Shape shape)) shape(member.Value);
                }
            };
        }

        private static Shape ListOf(Shape shape) => OrNull(value => Is<List<object>>(value).ForEach(element => shape(element)));

        private static Shape OrNull(Shape shape) => value =>
        {
            if (value != null) shape(value);
        };

        private static void Anything(object value)
        {
        }

        private static void Text(object value)
        {
            if (value != null) Is<string>(value);
        }

        private static void Truth(object value) => Is<bool>(value);

        private static void Whole(object value)
        {
            double number = Is<double>(value);
            if (number != Math.Floor(number) || Math.Abs(number) > int.MaxValue) throw new FormatException("no whole number");
        }

        private static T Is<T>(object value) => value is T ? (T)value : throw new FormatException("not a " + typeof(T).Name);
    }

    /// <summary>JSON by the letter, to the depth at which System.Text.Json stops.</summary>
    internal sealed class StrictJson
    {
        private const int MaximalDepth = 64;

        private readonly string text;
        private int at;
        private int depth;

        internal StrictJson(string text)
        {
            this.text = text;
        }

        /// <summary>The first value: like the SDK's reader this does not look at what follows.</summary>
        internal object Document() => Value();

        private object Value()
        {
            switch (Next())
            {
                case '{':
                    return Object();
                case '[':
                    return Array();
                case '"':
                    return String();
                case 't':
                    return Word("true", true);
                case 'f':
                    return Word("false", false);
                case 'n':
                    return Word("null", null);
                default:
                    return Number();
            }
        }

        private Dictionary<string, object> Object()
        {
            var members = new Dictionary<string, object>();
            Elements('}', () =>
            {
                if (Next() != '"') throw Wrong();
                string name = String();
                Take(':');
                members[name] = Value();
            });
            return members;
        }

        private List<object> Array()
        {
            var elements = new List<object>();
            Elements(']', () => elements.Add(Value()));
            return elements;
        }

        private void Elements(char end, Action element)
        {
            if (++depth > MaximalDepth) throw new FormatException("deeper than " + MaximalDepth);
            at++;
            if (Next() == end)
            {
                at++;
            }
            else
            {
                for (element(); Next() != end; element()) Take(',');
                at++;
            }
            depth--;
        }

        private string String()
        {
            var value = new StringBuilder();
            for (at++; Here() != '"'; at++)
            {
                if (Here() < ' ') throw Wrong();
                value.Append(Here() == '\\' ? Escaped() : Here());
            }
            at++;
            // What UTF-8 cannot hold.
            new UTF8Encoding(false, true).GetByteCount(value.ToString());
            return value.ToString();
        }

        private char Escaped()
        {
            at++;
            int simple = "\"\\/bfnrt".IndexOf(Here());
            if (simple >= 0) return "\"\\/\b\f\n\r\t"[simple];
            if (Here() != 'u' || at + 4 >= text.Length) throw Wrong();
            at += 4;
            return (char)int.Parse(text.Substring(at - 3, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }

        private object Word(string word, object value)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw Wrong();
            at += word.Length;
            return value;
        }

        private object Number()
        {
            int start = at;
            if (Here() == '-') at++;
            if (Here() == '0') at++;
            else Digits();
            if (at < text.Length && text[at] == '.')
            {
                at++;
                Digits();
            }
            if (at < text.Length && (text[at] == 'e' || text[at] == 'E'))
            {
                at++;
                if (Here() == '+' || Here() == '-') at++;
                Digits();
            }
            return Approximately(text.Substring(start, at - start));
        }

        private static double Approximately(string number)
        {
            try
            {
                return double.Parse(number, CultureInfo.InvariantCulture);
            }
            catch (OverflowException)
            {
                return number[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            }
        }

        private void Digits()
        {
            if (Here() < '0' || Here() > '9') throw Wrong();
            while (at < text.Length && text[at] >= '0' && text[at] <= '9') at++;
        }

        private void Take(char expected)
        {
            if (Next() != expected) throw Wrong();
            at++;
        }

        private char Next()
        {
            while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
            return Here();
        }

        private char Here() => at < text.Length ? text[at] : throw Wrong();

        private FormatException Wrong() => new FormatException("no JSON at " + at);
    }
}
