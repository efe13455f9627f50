package io.flagstore.launchdarkly;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import com.launchdarkly.sdk.server.Components;
import com.launchdarkly.sdk.server.LDConfig;
import com.launchdarkly.sdk.server.TestComponents;
import com.launchdarkly.sdk.server.subsystems.ClientContext;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.Endpoint;
import io.flagstore.FlagStoreException;
import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.junit.After;
import org.junit.Test;
import org.junit.function.ThrowingRunnable;
import software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.retry.RetryMode;
import software.amazon.awssdk.core.retry.RetryPolicy;
import software.amazon.awssdk.profiles.ProfileFile;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.StandardRetryStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** Options as the SDK's own integration takes them: those that cross, and those that are refused by name. */
public class AwsOptionsTest {
    private static final StaticCredentialsProvider STATIC =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("test", Endpoint.SECRET));
    private static final String[] PROPERTIES = {
        "aws.accessKeyId", "aws.secretAccessKey", "aws.sessionToken", "aws.region"
    };

    @After
    public void clear() {
        for (String property : PROPERTIES) System.clearProperty(property);
    }

    private static ClientContext context() {
        return TestComponents.clientContext(
                "sdk-key", new LDConfig.Builder().logging(Components.noLogging()).build());
    }

    private static DynamoDbStoreBuilder<PersistentDataStore> builder() {
        return DynamoDb.dataStore(Endpoint.TABLE).prefix(Endpoint.newPrefix()).endpoint(Endpoint.local().url());
    }

    private static void works(DynamoDbStoreBuilder<PersistentDataStore> builder) throws Exception {
        try (PersistentDataStore store = builder.build(context())) {
            assertFalse(store.isInitialized());
        }
    }

    private static void refused(String named, String instead, ThrowingRunnable call) {
        FlagStoreException error = assertThrows(FlagStoreException.class, call);
        assertTrue(error.getMessage(), error.getMessage().contains("\"" + named + "\""));
        assertTrue(error.getMessage(), error.getMessage().contains(instead));
        assertFalse(error.getMessage().contains(Endpoint.SECRET));
    }

    @Test
    public void theCallsAreThoseOfTheSdksIntegration() throws Exception {
        works(builder()
                .region(Region.US_EAST_1)
                .credentials(STATIC)
                .clientOverrideConfiguration(ClientOverrideConfiguration.builder().build())
                .existingClient(null));
    }

    @Test
    public void staticCredentialsCross() {
        assertEquals(
                Map.of("access_key_id", "test", "secret_access_key", Endpoint.SECRET), AwsOptions.credentials(STATIC));
        AwsSessionCredentials session = AwsSessionCredentials.create("a", "b", "c");
        assertEquals(
                Map.of("access_key_id", "a", "secret_access_key", "b", "session_token", "c"),
                AwsOptions.credentials(StaticCredentialsProvider.create(session)));
    }

    @Test
    public void theDefaultProviderMeansTheUsualChain() throws Exception {
        try (DefaultCredentialsProvider usual = DefaultCredentialsProvider.builder().build()) {
            assertEquals(Map.of(), AwsOptions.credentials(usual));
        }
    }

    @Test
    public void otherProvidersAreRefusedWithWhatToDo() {
        refused("credentials", "AnonymousCredentialsProvider", () -> builder().credentials(AnonymousCredentialsProvider.create()));
        refused(
                "credentials",
                "leave it out",
                () -> builder().credentials(EnvironmentVariableCredentialsProvider.create()));
        refused("credentials", "StaticCredentialsProvider", () -> builder().credentials(() -> null));
    }

    @Test
    public void timeoutsAndProfileCross() {
        ClientOverrideConfiguration config = ClientOverrideConfiguration.builder()
                .apiCallTimeout(Duration.ofSeconds(3))
                .apiCallAttemptTimeout(Duration.ofSeconds(1))
                .defaultProfileName("staging")
                .build();
        Map<String, Object> options = Map.of(
                "timeout_ms", Duration.ofSeconds(3), "attempt_timeout_ms", Duration.ofSeconds(1), "profile", "staging");
        assertEquals(options, AwsOptions.configuration(config));
        assertEquals(Map.of(), AwsOptions.configuration(ClientOverrideConfiguration.builder().build()));
    }

    /** A number of attempts is the time that they can take; the mode is what is done anyway. */
    @Test
    @SuppressWarnings("deprecation")
    public void retriesCross() {
        Map<ClientOverrideConfiguration.Builder, Map<String, Object>> settings = Map.of(
                ClientOverrideConfiguration.builder().retryStrategy(RetryMode.STANDARD), Map.of(),
                ClientOverrideConfiguration.builder()
                        .retryStrategy(StandardRetryStrategy.builder().maxAttempts(4).build()),
                Map.of("timeout_ms", Duration.ofSeconds(8)),
                ClientOverrideConfiguration.builder()
                        .retryPolicy(RetryPolicy.builder().numRetries(0).build())
                        .apiCallAttemptTimeout(Duration.ofMillis(700)),
                Map.of("attempt_timeout_ms", Duration.ofMillis(700), "timeout_ms", Duration.ofMillis(700)),
                ClientOverrideConfiguration.builder()
                        .retryStrategy(StandardRetryStrategy.builder().maxAttempts(4).build())
                        .apiCallTimeout(Duration.ofSeconds(1)),
                Map.of("timeout_ms", Duration.ofSeconds(1)));
        settings.forEach((config, expected) -> assertEquals(expected, AwsOptions.configuration(config.build())));
    }

    @Test
    public void namesDoWithoutTypesOfTheAwsSdk() throws Exception {
        works(DynamoDb.dataStore(Endpoint.TABLE)
                .prefix(Endpoint.newPrefix())
                .endpoint(Endpoint.local().url())
                .region("us-east-1")
                .credentials("test", Endpoint.SECRET));
        refused("region", "Region or its name, not java.lang.Integer", () -> builder().region(5));
    }

    @Test
    public void otherSettingsAreRefusedByName() {
        ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
        Map<String, ClientOverrideConfiguration.Builder> settings = new LinkedHashMap<>();
        settings.put("retryStrategy", ClientOverrideConfiguration.builder().retryStrategy(config -> {}));
        settings.put("headers", ClientOverrideConfiguration.builder().putHeader("X-Secret", Endpoint.SECRET));
        settings.put("executionInterceptors", ClientOverrideConfiguration.builder()
                .addExecutionInterceptor(new software.amazon.awssdk.core.interceptor.ExecutionInterceptor() {}));
        settings.put("scheduledExecutorService", ClientOverrideConfiguration.builder().scheduledExecutorService(executor));
        settings.put("defaultProfileFile", ClientOverrideConfiguration.builder()
                .defaultProfileFile(ProfileFile.aggregator().build()));
        try {
            settings.forEach((name, config) -> refused(
                    "clientOverrideConfiguration." + name,
                    name.startsWith("retry") ? "apiCallTimeout" : "leave it out",
                    () -> builder().clientOverrideConfiguration(config.build())));
        } finally {
            executor.shutdown();
        }
    }

    @Test
    public void anExistingClientIsRefusedWithWhatToDo() {
        DynamoDbClient client = new DynamoDbClient() {
            @Override
            public String serviceName() {
                return "dynamodb";
            }

            @Override
            public void close() {}
        };
        refused("existingClient", "endpoint, region, credentials", () -> builder().existingClient(client));
    }

    @Test
    public void optionsOfTheStoreWin() throws Exception {
        works(builder()
                .credentials(STATIC)
                .region(Region.EU_WEST_1)
                .option("endpoint", Endpoint.local().url())
                .endpoint(URI.create("http://127.0.0.1:1")));
        refused("tabel", "no option", () -> works(builder().option("tabel", 1)));
    }

    @Test
    public void systemPropertiesOfTheAwsSdkCount() throws Exception {
        System.setProperty("aws.accessKeyId", "test");
        System.setProperty("aws.secretAccessKey", Endpoint.SECRET);
        System.setProperty("aws.region", "us-east-1");
        // Without them this finds neither a region nor credentials in time.
        works(builder());
        System.setProperty("aws.region", "");
        works(builder().region(Region.US_EAST_1));
    }

    @Test
    public void anEmptyTableNameIsRefused() {
        for (String table : new String[] {null, ""}) {
            FlagStoreException error =
                    assertThrows(FlagStoreException.class, () -> DynamoDb.dataStore(table).build(context()));
            assertEquals("STORE_ERROR_EMPTY_TABLE_NAME", error.codeName());
        }
    }
}
