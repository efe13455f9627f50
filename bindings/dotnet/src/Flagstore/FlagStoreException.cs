using System;

namespace Flagstore
{
    /// <summary>
    /// A call that failed. The message says what was attempted, what happened and what to do; it never holds a credential or
    /// a payload.
    /// </summary>
    public sealed class FlagStoreException : Exception
    {
        internal const int InvalidUtf8 = -3;
        internal const int InvalidHandle = -5;
        internal const int UnknownOption = -7;
        internal const int OptionType = -8;
        internal const int Runtime = -45;

        /// <summary>For what is refused in .NET, with a number of the C ABI.</summary>
        /// <param name="code">the number</param>
        /// <param name="codeName">its name</param>
        /// <param name="retriable">whether the same call may succeed later</param>
        /// <param name="message">what was attempted, what happened, what to do</param>
        public FlagStoreException(int code, string codeName, bool retriable, string message) : base(message)
        {
            Code = code;
            CodeName = codeName;
            Retriable = retriable;
        }

        /// <summary>The number of the C ABI, which flagstore.h lists: negative, stable, never reused.</summary>
        public int Code { get; }

        /// <summary>The name of <see cref="Code"/>, such as <c>STORE_ERROR_TIMEOUT</c>.</summary>
        public string CodeName { get; }

        /// <summary>
        /// Whether the same call may succeed later without anyone changing anything, as after throttling, deadlines and broken
        /// connections.
        /// </summary>
        public bool Retriable { get; }

        /// <summary>Takes an error out of the library's memory and frees it.</summary>
        internal static unsafe FlagStoreException Taken(store_error* error)
        {
            try
            {
                return new FlagStoreException(
                    error->code,
                    Text.Terminated(Native.store_code_name(error->code)),
                    error->retriable != 0,
                    Text.Terminated(error->message));
            }
            finally
            {
                Native.store_error_free(error);
            }
        }
    }

    /// <summary>
    /// The shared library libflagstore is missing, unreadable or of another ABI; the message says where it was looked for and
    /// what to do.
    /// </summary>
    public sealed class LibraryException : Exception
    {
        internal LibraryException(string message) : base(message)
        {
        }
    }
}
