using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace Flagstore
{
    /// <summary>
    /// How .NET learns that an asynchronous call is done, without the library's threads ever running managed code.
    /// </summary>
    /// <remarks>
    /// <para>They could not well do so: the library's threads mask all signals, with which Mono, and in part .NET, stop threads
    /// for a collection or the end of the process, and a thread of the pool that is started there inherits the mask. (Mono 6.8 hung at its
    /// exit after the first such callback.)</para>
    /// <para>The library ends a call with callback(user_data, result). The callback is libc's eventfd_write(descriptor, number),
    /// which has the same shape in registers: user_data is the descriptor of an eventfd, and the number written to it is the
    /// address of the result. One background thread waits for the descriptors of all calls, and hands results to the thread
    /// pool.</para>
    /// </remarks>
    internal sealed unsafe class Completions
    {
        private const int CloseOnExec = 0x80000;
        private const int NonBlocking = 0x800;
        private const int Add = 1;
        private const int Readable = 1;
        private const int AtOnce = 64;

        // struct epoll_event is packed on x86-64, and nowhere else.
        private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

        private static readonly object Starting = new object();
        private static Completions started;

        private readonly int queue;
        private readonly int stop;
        private readonly List<Completion> all = new List<Completion>();
        private readonly Stack<Completion> idle = new Stack<Completion>();

        /// <summary>What one call at a time uses; its place is its number in the queue.</summary>
        private sealed class Completion
        {
            internal int Descriptor;
            internal int Place;
            internal AsyncCall Call;
        }

        private Completions()
        {
            queue = Opened(epoll_create1(CloseOnExec));
            stop = Opened(eventfd(0, CloseOnExec | NonBlocking));
            Watch(stop, -1);
            var thread = new Thread(Deliver) { IsBackground = true, Name = "flagstore-results" };
            thread.Start();
            // Mono and .NET Framework unload application domains; one in which a thread is inside of C cannot be.
            AppDomain.CurrentDomain.DomainUnload += (sender, arguments) =>
            {
                eventfd_write(stop, 1);
                thread.Join();
            };
        }

        /// <summary>libc's function that serves as callback.</summary>
        private static IntPtr Callback { get; } = Library.OfLibc("eventfd_write");

        private static Completions Started
        {
            get
            {
                lock (Starting) return started ?? (started = new Completions());
            }
        }

        /// <summary>Starts a call in the library; gives its error if that did not start, else null.</summary>
        internal delegate Exception Start(IntPtr callback, IntPtr userData);

        /// <summary>
        /// Starts a call, which will be ended on the thread pool; gives the error if it did not start and will not be, else null.
        /// </summary>
        internal static Exception Begin(AsyncCall call, Start start)
        {
            Completions completions = Started;
            Completion completion = completions.Taken();
            completion.Call = call;
            Exception refused;
            try
            {
                refused = start(Callback, (IntPtr)completion.Descriptor);
            }
            catch (Exception error)
            {
                refused = error;
            }
            if (refused != null) completions.GiveBack(completion);
            return refused;
        }

        private Completion Taken()
        {
            lock (all)
            {
                if (idle.Count > 0) return idle.Pop();
                var completion = new Completion { Descriptor = Opened(eventfd(0, CloseOnExec | NonBlocking)), Place = all.Count };
                Watch(completion.Descriptor, completion.Place);
                all.Add(completion);
                return completion;
            }
        }

        private void GiveBack(Completion completion)
        {
            completion.Call = null;
            lock (all) idle.Push(completion);
        }

        private void Watch(int descriptor, long place)
        {
            byte* watched = stackalloc byte[EventSize];
            *(int*)watched = Readable;
            *(long*)(watched + EventSize - sizeof(long)) = place;
            if (epoll_ctl(queue, Add, descriptor, watched) == 0) return;
            close(descriptor);
            throw NoDescriptor();
        }

        private void Deliver()
        {
            byte* events = stackalloc byte[EventSize * AtOnce];
            while (true)
            {
                // Less than 0 where a signal interrupted it.
                int number = epoll_wait(queue, events, AtOnce, -1);
                for (int at = 0; at < number; at++)
                {
                    long place = *(long*)(events + (at * EventSize) + EventSize - sizeof(long));
                    if (place < 0) return;
                    Deliver(place);
                }
            }
        }

        private void Deliver(long place)
        {
            Completion completion;
            lock (all) completion = all[(int)place];
            ulong result;
            if (read(completion.Descriptor, &result, (UIntPtr)sizeof(ulong)) != (IntPtr)sizeof(ulong)) return;
            AsyncCall call = completion.Call;
            GiveBack(completion);
            call.Arrived((IntPtr)(long)result);
        }

        private static int Opened(int descriptor)
        {
            if (descriptor < 0) throw NoDescriptor();
            return descriptor;
        }

        private static FlagStoreException NoDescriptor() => new FlagStoreException(
            FlagStoreException.Runtime, "STORE_ERROR_RUNTIME", true,
            "an asynchronous call needs a file descriptor, and the process has none left (error "
            + Marshal.GetLastWin32Error() + "): raise its limit, as with ulimit -n, or have fewer calls under way at once");

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int eventfd(uint value, int flags);

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl)]
        private static extern int eventfd_write(int descriptor, ulong value);

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int epoll_create1(int flags);

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl, SetLastError = true)]
        private static extern int epoll_ctl(int queue, int operation, int descriptor, byte* watched);

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl)]
        private static extern int epoll_wait(int queue, byte* events, int most, int milliseconds);

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl)]
        private static extern IntPtr read(int descriptor, ulong* value, UIntPtr size);

        [DllImport("libc.so.6", CallingConvention = CallingConvention.Cdecl)]
        private static extern int close(int descriptor);
    }
}
