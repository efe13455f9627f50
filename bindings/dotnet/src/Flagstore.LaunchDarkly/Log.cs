using System;
using LaunchDarkly.Logging;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// The SDK's logger. What it does is the application's affair: that it fails changes no call, whose result is there.
    /// </summary>
    internal sealed class Log
    {
        private readonly Logger logger;

        internal Log(Logger logger)
        {
            this.logger = logger;
        }

        // As a value, not as the format, which would take braces in the text for places to fill.
        internal void Write(EventLevel level, string message)
        {
            try
            {
                switch (level)
                {
                    case EventLevel.Error:
                        logger.Error((object)message);
                        break;
                    case EventLevel.Warn:
                        logger.Warn((object)message);
                        break;
                    case EventLevel.Info:
                        logger.Info((object)message);
                        break;
                    default:
                        logger.Debug((object)message);
                        break;
                }
            }
            catch (Exception)
            {
                // There is no one to tell.
            }
        }
    }
}
