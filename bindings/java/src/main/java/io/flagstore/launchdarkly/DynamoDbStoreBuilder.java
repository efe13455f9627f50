package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.server.subsystems.BigSegmentStore;
import com.launchdarkly.sdk.server.subsystems.ClientContext;
import com.launchdarkly.sdk.server.subsystems.ComponentConfigurer;
import com.launchdarkly.sdk.server.subsystems.DiagnosticDescription;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.FlagStore;
import io.flagstore.FlagStoreBuilder;
import io.flagstore.FlagStoreException;
import io.flagstore.Report;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * Options of a store for the LaunchDarkly SDK, as those of the SDK's own integration. What cannot be carried over to
 * libflagstore is refused by name rather than ignored.
 *
 * <p>Where neither the builder nor the environment says so, the Java system properties that the AWS SDK looks at first
 * count here too: {@code aws.accessKeyId} with {@code aws.secretAccessKey} and {@code aws.sessionToken}, and
 * {@code aws.region}.
 *
 * <p>Methods with types of the AWS SDK need it at run time where they are called, and nowhere else.
 *
 * @param <T> the component that is built
 */
public abstract class DynamoDbStoreBuilder<T> implements ComponentConfigurer<T>, DiagnosticDescription {
    private static final int OPTION_TYPE = -8;

    private final String tableName;

    // In the order in which they were set, as with the AWS SDK's builder, where the last one counts.
    private final Map<String, Object> translated = new LinkedHashMap<>();
    private final Map<String, Object> ownOptions = new LinkedHashMap<>();

    private DynamoDbStoreBuilder(String tableName) {
        this.tableName = tableName;
    }

    /**
     * Put before every namespace, with a colon: for environments that share a table.
     *
     * @param prefix null or empty, the default, for none
     * @return this builder
     */
    public DynamoDbStoreBuilder<T> prefix(String prefix) {
        translated.put("prefix", prefix);
        return this;
    }

    /**
     * Another DynamoDB endpoint.
     *
     * @param endpointUri by default AWS's for the region
     * @return this builder
     */
    public DynamoDbStoreBuilder<T> endpoint(URI endpointUri) {
        translated.put("endpoint", endpointUri);
        return this;
    }

    /**
     * The AWS region: a {@code Region} of the AWS SDK, or its name, such as {@code "eu-west-1"}. One method for both, since
     * the compiler would ask for the AWS SDK to tell two from each other.
     *
     * @param region by default that of the environment, the profile or the instance
     * @return this builder
     * @throws FlagStoreException if it is neither
     */
    public DynamoDbStoreBuilder<T> region(Object region) {
        boolean known = region == null
                || region instanceof String
                || region.getClass().getName().equals("software.amazon.awssdk.regions.Region");
        if (!known) {
            throw new FlagStoreException(
                    OPTION_TYPE,
                    "STORE_ERROR_OPTION_TYPE",
                    false,
                    "the option \"region\" takes a Region or its name, not " + region.getClass().getName());
        }
        translated.put("region", region == null ? null : region.toString());
        return this;
    }

    /**
     * Static AWS credentials, without types of the AWS SDK.
     *
     * @param accessKeyId the access key
     * @param secretAccessKey its secret
     * @return this builder
     */
    public DynamoDbStoreBuilder<T> credentials(String accessKeyId, String secretAccessKey) {
        return credentials(accessKeyId, secretAccessKey, null);
    }

    /**
     * Static temporary AWS credentials, without types of the AWS SDK.
     *
     * @param accessKeyId the access key
     * @param secretAccessKey its secret
     * @param sessionToken the token that came with them, or null
     * @return this builder
     */
    public DynamoDbStoreBuilder<T> credentials(String accessKeyId, String secretAccessKey, String sessionToken) {
        translated.put("access_key_id", accessKeyId);
        translated.put("secret_access_key", secretAccessKey);
        translated.put("session_token", sessionToken);
        return this;
    }

    /**
     * AWS credentials. A {@code StaticCredentialsProvider} is carried over; a {@code DefaultCredentialsProvider} means
     * AWS's usual chain, which is the default. Other providers run in Java and are refused: libflagstore itself finds
     * credentials of the environment, profiles, assumed roles, web identities, SSO, containers and instances.
     *
     * @param credentialsProvider a source of credentials, or null for the default
     * @return this builder
     * @throws FlagStoreException if the provider cannot be carried over
     */
    public DynamoDbStoreBuilder<T> credentials(AwsCredentialsProvider credentialsProvider) {
        for (String name : new String[] {"access_key_id", "secret_access_key", "session_token"}) translated.remove(name);
        if (credentialsProvider != null) translated.putAll(AwsOptions.credentials(credentialsProvider));
        return this;
    }

    /**
     * Timeouts and profile out of an AWS client configuration: {@code apiCallTimeout} limits one call on a row,
     * {@code apiCallAttemptTimeout} one request, {@code defaultProfileName} is the profile; a retry strategy or policy limits a
     * call to the time that its attempts can take.
     *
     * @param config an AWS client configuration object, or null
     * @return this builder
     * @throws FlagStoreException if something else is set in it; the message names it
     */
    public DynamoDbStoreBuilder<T> clientOverrideConfiguration(ClientOverrideConfiguration config) {
        if (config != null) translated.putAll(AwsOptions.configuration(config));
        return this;
    }

    /**
     * Refused: requests are not made by the AWS SDK for Java here, so a client of it cannot be used.
     *
     * @param existingClient null, which does nothing
     * @return this builder
     * @throws FlagStoreException if it is not null
     */
    public DynamoDbStoreBuilder<T> existingClient(DynamoDbClient existingClient) {
        if (existingClient == null) return this;
        throw AwsOptions.refused(
                "existingClient",
                "cannot be used, since requests are made by libflagstore: give what the client was built with to"
                        + " endpoint, region, credentials and clientOverrideConfiguration, or as option");
    }

    /**
     * An option of the store itself, such as {@code timeout_ms}; see {@link FlagStoreBuilder#option}. It goes before what
     * the other methods say.
     *
     * @param name its name in the C ABI
     * @param value its value
     * @return this builder
     */
    public DynamoDbStoreBuilder<T> option(String name, Object value) {
        ownOptions.put(name, value);
        return this;
    }

    @Override
    public LDValue describeConfiguration(ClientContext clientContext) {
        return LDValue.of("DynamoDB");
    }

    /**
     * Looks at everything between this process and its flags with the options of this builder, says what is wrong and what to do
     * about it: {@link FlagStoreBuilder#doctor}.
     *
     * @return what was found
     * @throws FlagStoreException if an option is unknown, of the wrong type or out of range; the message names it
     */
    public Report doctor() {
        return builder(options()).doctor();
    }

    /**
     * {@link #doctor} without blocking.
     *
     * @return a future that fails with the exception that {@code doctor} would throw
     */
    public CompletableFuture<Report> doctorAsync() {
        return builder(options()).doctorAsync();
    }

    FlagStore open(Log log) {
        Map<String, Object> options = options();
        // The SDK's cache reads what it misses under a monitor.
        FlagStore store = builder(options).callersHoldMonitors(true)
                .onEvent(event -> log.write(event.level(), event.message())).open();
        log.write(System.Logger.Level.INFO, where(options));
        return store;
    }

    private FlagStoreBuilder builder(Map<String, Object> options) {
        FlagStoreBuilder builder = FlagStore.builder(tableName);
        options.forEach(builder::option);
        return builder;
    }

    private Map<String, Object> options() {
        Map<String, Object> options = new LinkedHashMap<>();
        // A store that only reads is told nothing, and keeps nothing. All have it, so that all of a process share connections.
        options.put("keep_told", true);
        options.putAll(translated);
        options.putAll(ownOptions);
        systemProperties(options);
        return options;
    }

    /** Most of what goes wrong with a store is a table that nobody meant. */
    private String where(Map<String, Object> options) {
        Object prefix = options.get("prefix");
        Object region = options.get("region");
        boolean prefixed = prefix != null && !prefix.toString().isEmpty();
        return "Using DynamoDB table " + Text.quoted(tableName)
                + (prefixed ? " with prefix " + Text.quoted(prefix.toString()) : " with no prefix")
                + " at " + shown(options.get("endpoint"))
                + (region == null ? " in the region of the environment" : " in region " + Text.quoted(region.toString()))
                + ", through libflagstore " + FlagStore.libraryVersion() + " (" + FlagStore.libraryPath() + ")";
    }

    /** Of a URL what says where: a user and a password may stand in it. */
    private static String shown(Object endpoint) {
        if (endpoint == null) return "the endpoint of AWS or of the environment";
        try {
            URI url = URI.create(endpoint.toString());
            if (url.getHost() == null) return "an endpoint";
            return url.getScheme() + "://" + url.getHost() + (url.getPort() < 0 ? "" : ":" + url.getPort());
        } catch (IllegalArgumentException noUrl) {
            return "an endpoint";
        }
    }

    /** The library cannot see them, and applications that set them relied on the AWS SDK doing so. */
    private static void systemProperties(Map<String, Object> options) {
        String accessKey = System.getProperty("aws.accessKeyId");
        String secretKey = System.getProperty("aws.secretAccessKey");
        boolean given = options.get("access_key_id") != null || options.get("profile") != null;
        if (!given && accessKey != null && secretKey != null) {
            options.put("access_key_id", accessKey);
            options.put("secret_access_key", secretKey);
            options.put("session_token", System.getProperty("aws.sessionToken"));
        }
        if (options.get("region") == null) options.put("region", System.getProperty("aws.region"));
    }

    static final class ForDataStore extends DynamoDbStoreBuilder<PersistentDataStore> {
        ForDataStore(String tableName) {
            super(tableName);
        }

        @Override
        public PersistentDataStore build(ClientContext context) {
            Log log = new Log(context.getBaseLogger().subLogger("DataStore").subLogger("DynamoDb"));
            return new DynamoDbDataStore(open(log), log, context.getDataStoreUpdateSink());
        }
    }

    static final class ForBigSegments extends DynamoDbStoreBuilder<BigSegmentStore> {
        ForBigSegments(String tableName) {
            super(tableName);
        }

        @Override
        public BigSegmentStore build(ClientContext context) {
            Log log = new Log(context.getBaseLogger().subLogger("BigSegments").subLogger("DynamoDb"));
            return new DynamoDbBigSegmentStore(open(log), log);
        }
    }
}
