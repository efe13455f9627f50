using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Flagstore.Tests
{
    /// <summary>The header for parsers against what this package repeats of it: functions, structs and numbers.</summary>
    public sealed class HeaderTests
    {
        private static readonly string Header =
            File.ReadAllText(Path.Combine(Endpoint.Repository, "include", "flagstore_cdef.h"));

        private static readonly Dictionary<string, Type> Types = new Dictionary<string, Type>
        {
            { "void", typeof(void) },
            { "char", typeof(byte) },
            { "int32_t", typeof(int) },
            { "uint32_t", typeof(uint) },
            { "int64_t", typeof(long) },
            { "uint64_t", typeof(ulong) },
            { "size_t", typeof(UIntPtr) },
            { "store_error", typeof(store_error) },
            { "store_item", typeof(store_item) },
            { "store_collection", typeof(store_collection) },
            // Always none, and user_data a number: see Completions.
            { "store_callback", typeof(void).MakePointerType() },
            // Opaque: never looked into.
            { "store_items", typeof(void) },
            { "store_membership", typeof(void) },
            { "store_result", typeof(void) },
        };

        /// <summary>A declaration such as <c>const char *kind</c> as name and type.</summary>
        private static KeyValuePair<string, Type> Declared(string declaration)
        {
            Match parts = Regex.Match(declaration.Trim(), @"^(?:const )?(?:struct )?(\w+) ?(\**)(\w+)$");
            Check.True(parts.Success, declaration);
            string name = parts.Groups[1].Value;
            Check.True(Types.ContainsKey(name), "a type that the tests do not know: " + declaration);
            Type type = Types[name];
            for (int stars = parts.Groups[2].Length; stars > 0; stars--) type = type.MakePointerType();
            return new KeyValuePair<string, Type>(parts.Groups[3].Value, type);
        }

        private static void Same(string what, string declarations, char separator, IEnumerable<KeyValuePair<string, Type>> repeated)
        {
            List<string> declared = Regex.Replace(declarations, @"\s+", " ").Split(separator)
                .Where(declaration => declaration.Trim().Length > 0 && declaration.Trim() != "void")
                .Select(declaration => Declared(Regex.Replace(declaration, @"const (\w+ \*)\*", "const $1*")))
                .Select(parameter => parameter.Key + ": " + parameter.Value).ToList();
            List<string> own = repeated.Select(parameter => parameter.Key + ": " + parameter.Value).ToList();
            if (!declared.SequenceEqual(own))
            {
                throw new CheckException(what + " is (" + string.Join(", ", own) + "), in the header (" + string.Join(", ", declared) + ")");
            }
        }

        /// <summary>Callbacks and their user_data are addresses and numbers here.</summary>
        private static Type AsPointer(Type type) => type == typeof(IntPtr) ? typeof(void*) : type;

        [Test]
        public void FunctionsAreThoseOfTheHeader()
        {
            List<FieldInfo> functions = typeof(Native).GetFields(BindingFlags.NonPublic | BindingFlags.Static)
                .Where(field => field.Name.StartsWith("store_", StringComparison.Ordinal)).ToList();
            Check.True(functions.Count >= 43, functions.Count);
            Library.Load();
            foreach (FieldInfo field in functions)
            {
                string name = field.Name;
                MethodInfo function = field.FieldType.GetMethod("Invoke");
                Check.True(field.GetValue(null) != null, name + " is not bound");
                Match declared = Regex.Match(Header, @"^([\w ]+?\*?)\b" + name + @"\(([^)]*)\);", RegexOptions.Multiline);
                Check.True(declared.Success, name + " is not in the header");
                var how = field.FieldType.GetTypeInfo().GetCustomAttribute<UnmanagedFunctionPointerAttribute>();
                Check.True(how.CallingConvention == CallingConvention.Cdecl && !how.SetLastError, name);
                string result = declared.Groups[1].Value.Trim();
                Same(
                    "the result of " + name, result + (result.EndsWith("*") ? "" : " ") + "result", ';',
                    new[] { new KeyValuePair<string, Type>("result", function.ReturnType) });
                Same(
                    name, declared.Groups[2].Value, ',',
                    function.GetParameters().Select(parameter => new KeyValuePair<string, Type>(parameter.Name, AsPointer(parameter.ParameterType))));
            }
        }

        [Test]
        public void StructsAreThoseOfTheHeader()
        {
            foreach (Type type in new[] { typeof(store_error), typeof(store_item), typeof(store_collection) })
            {
                Match declared = Regex.Match(Header, @"typedef struct " + type.Name + @" \{([^}]*)\}");
                Check.True(declared.Success, type.Name);
                Check.True(type.GetTypeInfo().IsLayoutSequential, type.Name);
                IEnumerable<FieldInfo> fields = type.GetFields(BindingFlags.Public | BindingFlags.Instance).OrderBy(field => field.MetadataToken);
                Same(type.Name, declared.Groups[1].Value, ';', fields.Select(field => new KeyValuePair<string, Type>(field.Name, field.FieldType)));
            }
        }

        private static Dictionary<string, int> Numbers() =>
            Regex.Matches(Header, @"(STORE_\w+) = (-?\d+)").Cast<Match>().ToDictionary(
                number => number.Groups[1].Value, number => int.Parse(number.Groups[2].Value));

        [Test]
        public void NumbersAreThoseOfTheHeader()
        {
            Dictionary<string, int> numbers = Numbers();
            Check.True(numbers.Count > 35, numbers.Count);
            Check.Equal(numbers["STORE_ABI_VERSION"], Native.Abi);
            Check.Sequence(
                new[] { "OK", "NOT_FOUND", "NEWER_EXISTS", "TOO_LARGE" }.Select(name => numbers["STORE_" + name]),
                new[] { Native.Ok, Native.NotFound, Native.NewerExists, Native.TooLarge });
            Check.Sequence(
                new[] { "INVALID_UTF8", "INVALID_HANDLE", "UNKNOWN_OPTION", "OPTION_TYPE", "RUNTIME" }.Select(name => numbers["STORE_ERROR_" + name]),
                new[]
                {
                    FlagStoreException.InvalidUtf8, FlagStoreException.InvalidHandle, FlagStoreException.UnknownOption,
                    FlagStoreException.OptionType, FlagStoreException.Runtime,
                });
            foreach (EventLevel level in Enum.GetValues(typeof(EventLevel)))
            {
                Check.Equal(numbers["STORE_LEVEL_" + level.ToString().ToUpperInvariant()], (int)level);
            }
        }

        [Test]
        public void EveryErrorHasItsName()
        {
            Library.Load();
            Named();
        }

        private static unsafe void Named()
        {
            foreach (KeyValuePair<string, int> number in Numbers().Where(number => number.Key.StartsWith("STORE_ERROR_")))
            {
                Check.Equal(number.Key, Text.Terminated(Native.store_code_name(number.Value)));
            }
            Check.Equal("STORE_UNKNOWN", Text.Terminated(Native.store_code_name(-9999)));
        }
    }
}
