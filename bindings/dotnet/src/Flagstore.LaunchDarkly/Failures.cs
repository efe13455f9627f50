using System;
using System.Threading.Tasks;
using LaunchDarkly.Logging;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Logs why a store fails: the first failure after a success at error level, those that follow it at debug level, since in an
    /// outage every evaluation fails.
    /// </summary>
    internal sealed class Failures
    {
        private readonly Logger log;
        private volatile bool failing;

        internal Failures(Logger log)
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
            if (failing) log.Debug((object)error.Message);
            else log.Error((object)error.Message);
            failing = true;
        }
    }
}
