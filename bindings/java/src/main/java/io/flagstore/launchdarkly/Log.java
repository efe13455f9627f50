package io.flagstore.launchdarkly;

import com.launchdarkly.logging.LDLogger;

/** The SDK's logger. What it does is the application's affair: that it fails changes no call, whose result is there. */
final class Log {
    private final LDLogger logger;

    Log(LDLogger logger) {
        this.logger = logger;
    }

    void write(System.Logger.Level level, String message) {
        try {
            switch (level) {
                case ERROR:
                    logger.error(message);
                    break;
                case WARNING:
                    logger.warn(message);
                    break;
                case INFO:
                    logger.info(message);
                    break;
                default:
                    logger.debug(message);
            }
        } catch (Throwable ignored) {
            // Errors as well: a logging framework that is not set up right throws those. There is no one to tell.
        }
    }
}
