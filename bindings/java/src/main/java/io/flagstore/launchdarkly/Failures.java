package io.flagstore.launchdarkly;

import io.flagstore.FlagStoreException;
import java.util.function.Supplier;

/**
 * Logs why a store fails, which the SDK's wrapper does not: the first failure after a success at error level, those that
 * follow it at debug level, since in an outage every evaluation fails.
 */
final class Failures {
    private final Log log;
    private volatile boolean failing;

    Failures(Log log) {
        this.log = log;
    }

    <T> T watched(Supplier<T> call) {
        try {
            T result = call.get();
            if (failing) failing = false;
            return result;
        } catch (FlagStoreException error) {
            log.write(failing ? System.Logger.Level.DEBUG : System.Logger.Level.ERROR, error.getMessage());
            failing = true;
            throw error;
        }
    }
}
