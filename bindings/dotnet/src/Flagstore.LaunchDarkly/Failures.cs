using System;
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
                T result = call();
                if (failing) failing = false;
                return result;
            }
            catch (FlagStoreException error)
            {
                if (failing) log.Debug((object)error.Message);
                else log.Error((object)error.Message);
                failing = true;
                throw;
            }
        }
    }
}
