package io.flagstore.launchdarkly;

import io.flagstore.FlagStoreException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;

/**
 * Options of the AWS SDK turned into the store's own. What cannot be turned is refused by name: an option that was
 * silently left out would only be missed in production.
 *
 * <p>Apart from the builder, so that the AWS SDK is needed only where its types are passed.
 */
final class AwsOptions {
    private static final int UNKNOWN_OPTION = -7;
    /** Of the option {@code attempt_timeout_ms}. */
    private static final Duration DEFAULT_ATTEMPT_TIMEOUT = Duration.ofSeconds(2);

    private AwsOptions() {}

    static Map<String, Object> credentials(AwsCredentialsProvider provider) {
        Map<String, Object> options = new LinkedHashMap<>();
        if (provider instanceof DefaultCredentialsProvider) return options;
        if (!(provider instanceof StaticCredentialsProvider)) {
            throw refused(
                    "credentials",
                    "cannot use a " + provider.getClass().getSimpleName() + ", which runs in Java: leave it out and"
                            + " libflagstore looks in the same places, set option(\"profile\", …) for a profile or an assumed"
                            + " role, or give a StaticCredentialsProvider");
        }
        AwsCredentials credentials = provider.resolveCredentials();
        options.put("access_key_id", credentials.accessKeyId());
        options.put("secret_access_key", credentials.secretAccessKey());
        if (credentials instanceof AwsSessionCredentials) {
            options.put("session_token", ((AwsSessionCredentials) credentials).sessionToken());
        }
        return options;
    }

    // retryPolicy is deprecated, and still what many applications set.
    @SuppressWarnings("deprecation")
    static Map<String, Object> configuration(ClientOverrideConfiguration config) {
        // Which mode, one need not say: repetitions are few while DynamoDB fails, and paced while it throttles.
        String byTime = "cannot be asked for its number of attempts: give a RetryStrategy, or set apiCallTimeout";
        refuse("retryStrategy", config.retryStrategyConfigurator(), byTime);
        refuse("scheduledExecutorService", config.scheduledExecutorService());
        refuse("defaultProfileFile", config.defaultProfileFile());
        refuse("compressionConfiguration", config.compressionConfiguration());
        refuse("headers", filled(config.headers()));
        refuse("executionInterceptors", filled(config.executionInterceptors()));
        refuse("metricPublishers", filled(config.metricPublishers()));

        Map<String, Object> options = new LinkedHashMap<>();
        config.apiCallAttemptTimeout().ifPresent(limit -> options.put("attempt_timeout_ms", limit));
        Duration attempt = config.apiCallAttemptTimeout().orElse(DEFAULT_ATTEMPT_TIMEOUT);
        // The time that so many attempts can take, unless that is given too.
        config.retryPolicy().ifPresent(policy -> options.put("timeout_ms", attempt.multipliedBy(1L + policy.numRetries())));
        config.retryStrategy().ifPresent(strategy -> options.put("timeout_ms", attempt.multipliedBy(strategy.maxAttempts())));
        config.apiCallTimeout().ifPresent(limit -> options.put("timeout_ms", limit));
        config.defaultProfileName().ifPresent(name -> options.put("profile", name));
        return options;
    }

    private static Optional<Object> filled(Object collection) {
        boolean empty = collection instanceof Map<?, ?> map
                ? map.isEmpty()
                : !((Iterable<?>) collection).iterator().hasNext();
        return empty ? Optional.empty() : Optional.of(collection);
    }

    private static void refuse(String name, Optional<?> setting) {
        refuse(name, setting, "has no counterpart in flagstore: leave it out");
    }

    private static void refuse(String name, Optional<?> setting, String why) {
        setting.ifPresent(set -> {
            throw refused("clientOverrideConfiguration." + name, why);
        });
    }

    static FlagStoreException refused(String name, String why) {
        // Never the value: it may be a credential.
        return new FlagStoreException(
                UNKNOWN_OPTION, "STORE_ERROR_UNKNOWN_OPTION", false, "the option \"" + name + "\" " + why);
    }
}
