using System;
using System.Threading;
using System.Threading.Tasks;

namespace Flagstore
{
    /// <summary>A call under way. Its result is read, and its task completed, on the thread pool.</summary>
    internal abstract unsafe class AsyncCall
    {
        private static readonly WaitCallback Ending = call => ((AsyncCall)call).End();

        private IntPtr result;

        protected abstract void End(void* result);

        protected abstract void Fail(Exception error);

        /// <summary>Takes the library's result; nothing is thrown here.</summary>
        internal void Arrived(IntPtr given)
        {
            result = given;
            try
            {
                ThreadPool.UnsafeQueueUserWorkItem(Ending, this);
            }
            catch (Exception error)
            {
                // No memory for the work item; the task must end all the same.
                Fail(error);
            }
        }

        private void End()
        {
            try
            {
                End((void*)result);
            }
            catch (Exception error)
            {
                Fail(error);
            }
            finally
            {
                Native.store_result_free((void*)result);
            }
        }
    }

    /// <summary>A call whose result becomes a task's.</summary>
    internal sealed unsafe class AsyncCall<T> : AsyncCall
    {
        /// <summary>Makes a result of what the library gave, or throws.</summary>
        internal delegate T Reading(void* result);

        // What awaits the task does not run inside of this class.
        private readonly TaskCompletionSource<T> task =
            new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);

        private readonly Reading read;
        private readonly Func<FlagStoreException, T> otherwise;

        private AsyncCall(Reading read, Func<FlagStoreException, T> otherwise)
        {
            this.read = read;
            this.otherwise = otherwise;
        }

        /// <summary>
        /// Starts a call. Its errors are the task's, also where it does not start, unless there is a result for them.
        /// </summary>
        internal static Task<T> Of(
            Completions.Start start, Reading read, CancellationToken cancellation, Func<FlagStoreException, T> otherwise = null)
        {
            if (cancellation.IsCancellationRequested) return Task.FromCanceled<T>(cancellation);
            var call = new AsyncCall<T>(read, otherwise);
            ulong number;
            try
            {
                Exception refused = Completions.Begin(call, start, out number);
                if (refused != null) throw refused;
            }
            catch (FlagStoreException error)
            {
                call.Fail(error);
                return call.task.Task;
            }
            if (cancellation.CanBeCanceled)
            {
                CancellationTokenRegistration waiting = cancellation.Register(() =>
                {
                    // The task first: a call that is over by then has a result, which nobody gets.
                    if (call.task.TrySetCanceled(cancellation)) Native.store_cancel(number, null);
                });
                call.task.Task.ContinueWith(
                    (ended, registration) => ((CancellationTokenRegistration)registration).Dispose(), waiting,
                    CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
            return call.task.Task;
        }

        protected override void End(void* result) => task.TrySetResult(read(result));

        protected override void Fail(Exception error)
        {
            if (otherwise != null && error is FlagStoreException failure) task.TrySetResult(otherwise(failure));
            else task.TrySetException(error);
        }
    }
}
