using System;
using System.Collections.Concurrent;
using System.Threading;

namespace Flagstore
{
    /// <summary>
    /// How .NET learns that an asynchronous call is done, without the library's threads ever running managed code.
    /// </summary>
    /// <remarks>
    /// They could not well do so: the library's threads mask all signals, with which Mono, and in part .NET, stop threads for
    /// a collection or the end of the process, and a thread of the pool that is started there inherits the mask. (Mono 6.8 hung at its exit
    /// after the first such callback.) So calls end in a queue of the library's, with a number for user_data, and one
    /// background thread takes them out and hands them to the thread pool.
    /// </remarks>
    internal sealed unsafe class Completions
    {
        private const int AsLongAsItTakes = -1;

        private static readonly object Starting = new object();
        private static Completions started;

        private readonly ulong queue;
        private readonly ConcurrentDictionary<long, AsyncCall> underWay = new ConcurrentDictionary<long, AsyncCall>();
        private long last;
        private volatile bool ending;

        private Completions()
        {
            ulong opened;
            store_error error;
            if (Native.store_completions_open(&opened, &error) != Native.Ok) throw FlagStoreException.Taken(&error);
            queue = opened;
            var thread = new Thread(Deliver) { IsBackground = true, Name = "flagstore-results" };
            thread.Start();
            // A thread that is inside of C holds up the end of Mono's process, and of an application domain there and in
            // .NET Framework.
            EventHandler end = (sender, arguments) =>
            {
                ending = true;
                Native.store_completions_close(queue, null);
                thread.Join();
            };
            AppDomain.CurrentDomain.ProcessExit += end;
            AppDomain.CurrentDomain.DomainUnload += end;
        }

        private static Completions Started
        {
            get
            {
                lock (Starting) return started ?? (started = new Completions());
            }
        }

        /// <summary>The number of the queue.</summary>
        internal static ulong Queue => Started.queue;

        /// <summary>Starts a call in the library, and says its number; gives its error if that did not start, else null.</summary>
        internal delegate Exception Start(IntPtr userData, ulong* number);

        /// <summary>
        /// Starts a call, which will be ended on the thread pool; gives the error if it did not start and will not be, else null.
        /// </summary>
        internal static Exception Begin(AsyncCall call, Start start, out ulong number)
        {
            Completions completions = Started;
            long userData = Interlocked.Increment(ref completions.last);
            completions.underWay[userData] = call;
            ulong given = 0;
            Exception refused;
            try
            {
                refused = start((IntPtr)userData, &given);
            }
            catch (Exception error)
            {
                refused = error;
            }
            number = given;
            // Threads that still call while the process ends are to end with it, not to see an error of their own in their place.
            if (refused != null && completions.ending) return null;
            if (refused != null) completions.underWay.TryRemove(userData, out call);
            return refused;
        }

        private void Deliver()
        {
            void* userData;
            void* result;
            while (Native.store_completions_next(queue, AsLongAsItTakes, &userData, &result, null) == Native.Ok)
            {
                if (underWay.TryRemove((long)userData, out AsyncCall call)) call.Arrived((IntPtr)result);
                else Native.store_result_free(result);
            }
        }
    }
}
