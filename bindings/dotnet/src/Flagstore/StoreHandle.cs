using System;
using System.Runtime.InteropServices;

namespace Flagstore
{
    /// <summary>
    /// A store's number. It closes the store when it is disposed or, at the latest, finalised.
    /// </summary>
    /// <remarks>
    /// The number has 64 bits on every processor, so it stands beside the pointer of the base class, which only says whether
    /// there is one. Nothing dangles: the library refuses the number of a closed store, so that calls take it without counting
    /// references, and closing waits for none of them.
    /// </remarks>
    internal sealed class StoreHandle : SafeHandle
    {
        private readonly ulong number;
        private volatile bool completes;

        internal StoreHandle(ulong number) : base(IntPtr.Zero, true)
        {
            this.number = number;
            SetHandle((IntPtr)1);
        }

        public override bool IsInvalid => handle == IntPtr.Zero;

        /// <summary>0, which is never a store, once it is closed.</summary>
        internal ulong Number => IsClosed ? 0 : number;

        /// <summary>The number, of a store whose calls end in the queue.</summary>
        internal unsafe ulong Completing
        {
            get
            {
                // Twice does no harm, and a store that is closed meanwhile is refused by the call.
                if (!completes)
                {
                    Native.store_complete_to(Number, Completions.Queue, null);
                    completes = true;
                }
                return Number;
            }
        }

        protected override unsafe bool ReleaseHandle() => Native.store_close(number, null) == Native.Ok;
    }
}
