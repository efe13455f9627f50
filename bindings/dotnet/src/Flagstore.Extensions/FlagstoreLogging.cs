using System;
using Microsoft.Extensions.Logging;

namespace Flagstore.Extensions
{
    /// <summary>Events of a store as entries of an <see cref="ILogger"/>.</summary>
    public static class FlagstoreLogging
    {
        /// <summary>The name of the logger that stores of a container use.</summary>
        public const string Category = "Flagstore";

        /// <summary>Has events go to a logger. That it fails changes the outcome of no call.</summary>
        /// <param name="options">of the store</param>
        /// <param name="logger">who gets them</param>
        /// <returns><paramref name="options"/></returns>
        public static FlagStoreOptions LogTo(this FlagStoreOptions options, ILogger logger)
        {
            if (options == null) throw new ArgumentNullException(nameof(options));
            if (logger == null) throw new ArgumentNullException(nameof(logger));
            // As a value, not as the template, which would take braces in the text for places to fill.
            options.OnEvent = told => logger.Log(Level(told.Level), "{Message}", told.Message);
            return options;
        }

        private static LogLevel Level(EventLevel level)
        {
            switch (level)
            {
                case EventLevel.Error:
                    return LogLevel.Error;
                case EventLevel.Warn:
                    return LogLevel.Warning;
                case EventLevel.Info:
                    return LogLevel.Information;
                default:
                    return LogLevel.Debug;
            }
        }
    }
}
