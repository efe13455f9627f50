package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.server.integrations.PersistentDataStoreTestBase;
import com.launchdarkly.sdk.server.subsystems.ComponentConfigurer;
import com.launchdarkly.sdk.server.subsystems.PersistentDataStore;
import io.flagstore.Endpoint;
import io.flagstore.Rows;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.After;

/** The SDK's own tests of persistent data stores. */
public class DataStoreSuiteTest extends PersistentDataStoreTestBase<DynamoDbDataStore> {
    private final Endpoint faults = Endpoint.faults();
    private CompletableFuture<Void> race = CompletableFuture.completedFuture(null);

    @Override
    protected ComponentConfigurer<PersistentDataStore> buildStore(String prefix) {
        return DynamoDb.dataStore(Endpoint.SUITE_TABLE)
                .prefix(prefix)
                .endpoint(faults.url())
                .option("region", "us-east-1")
                .option("access_key_id", "test")
                .option("secret_access_key", Endpoint.SECRET)
                // A held request of one store must not be that of the other.
                .option("shared", false);
    }

    @Override
    protected void clearAllData() {
        new Rows(Endpoint.local(), Endpoint.SUITE_TABLE).clear();
    }

    /**
     * The store reads nothing before it writes, so the race is one at DynamoDB's door: the request of the upsert, which is
     * the second write of an item after that of the init, is held there until the hook has written.
     */
    @Override
    protected boolean setUpdateHook(DynamoDbDataStore storeUnderTest, Runnable hook) {
        faults.tell("/script", "{\"rules\":[{\"operation\":\"PutItem\",\"namespace\":\"test-items\",\"nth\":2,\"do\":\"hold\"}]}");
        race = CompletableFuture.runAsync(() -> {
            faults.tell("/wait", "{\"count\":1,\"action\":\"hold\",\"timeout_ms\":20000}");
            hook.run();
            faults.tell("/release", "{}");
        });
        return true;
    }

    /** The race took place: the hook ran, and without a failure. */
    @After
    public void raced() throws Exception {
        race.get(30, TimeUnit.SECONDS);
        faults.tell("/reset", "{}");
    }
}
