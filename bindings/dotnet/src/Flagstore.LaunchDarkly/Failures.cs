using System;
using System.Threading.Tasks;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Logs why a store fails: the first failure after a success at error level, those that follow it at debug level, since in an
    /// outage every evaluation fails.
    /// </summary>
    internal sealed class Failures
    {
        private readonly Log log;
        private volatile bool failing;

        internal Failures(Log log)
        {
            this.log = log;
        }

        internal T Watched<T>(Func<T> call)
        {
            try
            {
                return Passed(call());
            }
            catch (FlagStoreException error)
            {
                Failed(error);
                throw;
            }
        }

        /// <summary>The same of a task, whose errors are also those of starting it.</summary>
        internal async Task<T> WatchedAsync<T>(Func<Task<T>> call)
        {
            try
            {
                return Passed(await call().ConfigureAwait(false));
            }
            catch (FlagStoreException error)
            {
                Failed(error);
                throw;
            }
        }

        private T Passed<T>(T result)
        {
            if (failing) failing = false;
            return result;
        }

        private void Failed(FlagStoreException error)
        {
            log.Write(failing ? EventLevel.Debug : EventLevel.Error, error.Message);
            failing = true;
        }
    }
}
