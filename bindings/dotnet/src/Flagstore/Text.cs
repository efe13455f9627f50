using System;
using System.Text;

namespace Flagstore
{
    /// <summary>Text on its way to the library and back.</summary>
    internal static unsafe class Text
    {
        // Strict: what UTF-8 cannot hold is refused, where the usual encoding writes a question mark.
        private static readonly UTF8Encoding Utf8Strictly = new UTF8Encoding(false, true);

        internal static byte[] Utf8(string name, string text)
        {
            if (text == null) throw new ArgumentNullException(name);
            try
            {
                return Utf8Strictly.GetBytes(text);
            }
            catch (EncoderFallbackException error)
            {
                throw Refused(name, error);
            }
        }

        internal static int Utf8Length(string name, string text)
        {
            if (text == null) throw new ArgumentNullException(name);
            try
            {
                return Utf8Strictly.GetByteCount(text);
            }
            catch (EncoderFallbackException error)
            {
                throw Refused(name, error);
            }
        }

        private static FlagStoreException Refused(string name, EncoderFallbackException error) =>
            new FlagStoreException(
                FlagStoreException.InvalidUtf8, "STORE_ERROR_INVALID_UTF8", false,
                "the argument \"" + name + "\" has a lone surrogate at " + error.Index + ", which UTF-8 cannot hold: correct it");

        internal static string Of(byte* text, UIntPtr length) =>
            text == null ? "" : Encoding.UTF8.GetString(text, checked((int)(ulong)length));

        /// <summary>Text that ends with NUL.</summary>
        internal static string Terminated(byte* text)
        {
            if (text == null) return "";
            int length = 0;
            while (text[length] != 0) length++;
            return Encoding.UTF8.GetString(text, length);
        }

        /// <summary>Text that ends with NUL and belongs to the caller, who thereby frees it.</summary>
        internal static string Taken(byte* text)
        {
            try
            {
                return Terminated(text);
            }
            finally
            {
                Native.store_string_free(text);
            }
        }
    }
}
