using System;
using System.Collections.Generic;
using System.Diagnostics;

namespace Flagstore
{
    // What both forms of a call do with the library's answer, and the delivery of events.
    public sealed unsafe partial class FlagStore
    {
        private static UIntPtr Length(byte[] text) => (UIntPtr)(uint)text.Length;

        private int Checked(int code, store_error* error)
        {
            // The handle closes the store when it is collected, which must not be while a call is on its way in.
            GC.KeepAlive(handle);
            if (code < Native.Ok) throw Failed(error);
            DeliverEvents();
            return code;
        }

        private FlagStoreException Failed(store_error* error)
        {
            FlagStoreException failure = FlagStoreException.Taken(error);
            DeliverEvents();
            if (failure.Code != FlagStoreException.InvalidHandle) return failure;
            return new FlagStoreException(
                failure.Code, failure.CodeName, failure.Retriable,
                "the store of table \"" + table + "\" is closed: open another one");
        }

        private Item Got(Item item)
        {
            bool due = Stopwatch.GetTimestamp() - nextLook >= 0;
            if (item == null || item.Stale || due) DeliverEvents();
            return item;
        }

        private UpsertResult Upserted(int code, store_item* stored)
        {
            switch (code)
            {
                case Native.Ok:
                    return new UpsertResult(UpsertOutcome.Written, null);
                case Native.NewerExists:
                    return new UpsertResult(UpsertOutcome.NewerExists, Item.Of(stored));
                default:
                    return new UpsertResult(UpsertOutcome.TooLarge, null);
            }
        }

        private bool Unavailable(FlagStoreException error)
        {
            Tell(new StoreEvent(EventLevel.Debug, "table \"" + table + "\" is not available: " + error.Message));
            return false;
        }

        /// <summary>Copies a membership out of the library's memory, and frees it.</summary>
        private static IReadOnlyDictionary<string, bool> Segments(void* membership)
        {
            try
            {
                var segments = new Dictionary<string, bool>(StringComparer.Ordinal);
                uint count = (uint)Native.store_membership_count(membership);
                for (uint place = 0; place < count; place++)
                {
                    byte* segment;
                    UIntPtr length;
                    int included;
                    Native.store_membership_entry(membership, (UIntPtr)place, &segment, &length, &included, null);
                    segments[Text.Of(segment, length)] = included != 0;
                }
                return segments;
            }
            finally
            {
                Native.store_membership_free(membership);
            }
        }

        private InitReport Reported(byte* report)
        {
            InitReport done = InitReport.Of(Text.Taken(report));
            DeliverEvents();
            return done;
        }

        /// <summary>
        /// Hands over the events that were not taken yet. Where the recipient uses the store, what its calls bring comes after a
        /// later call, so that the two do not feed each other without end.
        /// </summary>
        private void DeliverEvents()
        {
            if (delivering) return;
            nextLook = Stopwatch.GetTimestamp() + BetweenLooks;
            List<StoreEvent> events = null;
            int level;
            byte* message;
            // Another outcome than OK: there is none, or another thread closed the store, whose result is still good.
            while (Native.store_next_event(handle.Number, &level, &message, null) == Native.Ok)
            {
                events = events ?? new List<StoreEvent>();
                events.Add(new StoreEvent((EventLevel)level, Text.Taken(message)));
            }
            GC.KeepAlive(handle);
            if (events == null) return;
            delivering = true;
            try
            {
                events.ForEach(Tell);
            }
            finally
            {
                delivering = false;
            }
        }

        /// <summary>A recipient that fails does not fail the call, whose result is there, and neither does a trace listener.</summary>
        private void Tell(StoreEvent happened)
        {
            try
            {
                onEvent(happened);
            }
            catch (Exception error)
            {
                ToldOf(error);
            }
        }

        private static void ToldOf(Exception error)
        {
            try
            {
                Trace.TraceEvent(TraceEventType.Error, 0, "the recipient of events failed: {0}", error);
            }
            catch (Exception)
            {
                // There is no one left to tell.
            }
        }

        private static void ToTrace(StoreEvent happened)
        {
            switch (happened.Level)
            {
                case EventLevel.Error:
                    Trace.TraceEvent(TraceEventType.Error, 0, "{0}", happened.Message);
                    break;
                case EventLevel.Warn:
                    Trace.TraceEvent(TraceEventType.Warning, 0, "{0}", happened.Message);
                    break;
                case EventLevel.Info:
                    Trace.TraceEvent(TraceEventType.Information, 0, "{0}", happened.Message);
                    break;
                default:
                    Trace.TraceEvent(TraceEventType.Verbose, 0, "{0}", happened.Message);
                    break;
            }
        }
    }
}
