package io.flagstore.launchdarkly;

import com.launchdarkly.logging.LDLogger;
import io.flagstore.FlagStoreException;
import java.util.function.Supplier;

/**
 * Logs why a store fails, which the SDK's wrapper does not: the first failure after a success at error level, those that
 * follow it at debug level, since in an outage every evaluation fails.
 */
final class Failures {
    private final LDLogger logger;
    private volatile boolean failing;

    Failures(LDLogger logger) {
        this.logger = logger;
    }

    <T> T watched(Supplier<T> call) {
        try {
            T result = call.get();
            if (failing) failing = false;
            return result;
        } catch (FlagStoreException error) {
            if (failing) logger.debug(error.getMessage());
            else logger.error(error.getMessage());
            failing = true;
            throw error;
        }
    }
}
