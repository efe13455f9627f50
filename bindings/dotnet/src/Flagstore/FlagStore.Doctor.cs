using System;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore
{
    public sealed unsafe partial class FlagStore
    {
        /// <summary>
        /// Looks at everything between this process and its flags, says what is wrong and what to do about it. Opens no store.
        /// Blocks for at most four times <see cref="FlagStoreOptions.Timeout"/> and twice
        /// <see cref="FlagStoreOptions.AllTimeout"/>.
        /// </summary>
        /// <remarks>It reads all flags and segments once, and asks for two writes that cannot succeed; nothing is written or
        /// cached. Whatever is wrong with table, network or credentials stands in the report.</remarks>
        /// <param name="options">those of <see cref="Open"/>, which are copied; <see cref="FlagStoreOptions.OnEvent"/> is not
        /// used</param>
        /// <returns>what was found</returns>
        /// <exception cref="FlagStoreException">an option is unknown, of the wrong type or out of range; the message names
        /// it</exception>
        /// <exception cref="LibraryException">libflagstore cannot be loaded</exception>
        public static Report Doctor(FlagStoreOptions options)
        {
            byte[] json = Loaded(options);
            return Report.Of(Examined(json));
        }

        /// <summary>
        /// <see cref="Doctor"/> without blocking: a thread of its own waits, and none of the pool.
        /// </summary>
        /// <param name="options">those of <see cref="Open"/></param>
        /// <param name="cancellationToken">cancels the task; what was begun ends by itself</param>
        /// <returns>a task that fails with the exception that <see cref="Doctor"/> would throw</returns>
        public static Task<Report> DoctorAsync(
            FlagStoreOptions options, CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] json = Loaded(options);
            if (cancellationToken.IsCancellationRequested) return Task.FromCanceled<Report>(cancellationToken);
            var ended = new TaskCompletionSource<Report>(TaskCreationOptions.RunContinuationsAsynchronously);
            CancellationTokenRegistration registration =
                cancellationToken.Register(() => ended.TrySetCanceled(cancellationToken));
            Task.Factory.StartNew(
                () =>
                {
                    try
                    {
                        ended.TrySetResult(Report.Of(Examined(json)));
                    }
                    catch (Exception error)
                    {
                        ended.TrySetException(error);
                    }
                    registration.Dispose();
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            return ended.Task;
        }

        /// <summary>The options as the library takes them, once it is loaded.</summary>
        private static byte[] Loaded(FlagStoreOptions options)
        {
            if (options == null) throw new ArgumentNullException(nameof(options));
            byte[] json = Text.Utf8(nameof(options), Json.Options(options.All));
            Library.Load();
            return json;
        }

        // Apart from what loads the library: see Library.IsImported.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private static string Examined(byte[] json)
        {
            byte* report;
            store_error error;
            fixed (byte* start = json)
            {
                if (Native.store_doctor(start, (UIntPtr)(uint)json.Length, &report, &error) != Native.Ok)
                {
                    throw FlagStoreException.Taken(&error);
                }
            }
            try
            {
                return Text.Terminated(report);
            }
            finally
            {
                Native.store_string_free(report);
            }
        }
    }
}
