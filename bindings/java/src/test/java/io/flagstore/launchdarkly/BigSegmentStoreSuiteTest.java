package io.flagstore.launchdarkly;

import com.launchdarkly.sdk.LDValue;
import com.launchdarkly.sdk.server.integrations.BigSegmentStoreTestBase;
import com.launchdarkly.sdk.server.subsystems.BigSegmentStore;
import com.launchdarkly.sdk.server.subsystems.BigSegmentStoreTypes.StoreMetadata;
import com.launchdarkly.sdk.server.subsystems.ComponentConfigurer;
import io.flagstore.Endpoint;
import io.flagstore.Rows;

/** The SDK's own tests of Big Segment stores. */
public class BigSegmentStoreSuiteTest extends BigSegmentStoreTestBase {
    private final Rows rows = new Rows(Endpoint.local(), Endpoint.SUITE_TABLE);

    @Override
    protected ComponentConfigurer<BigSegmentStore> makeStore(String prefix) {
        return DynamoDb.bigSegmentStore(Endpoint.SUITE_TABLE)
                .prefix(prefix)
                .endpoint(Endpoint.local().url())
                .option("region", "us-east-1")
                .option("access_key_id", "test")
                .option("secret_access_key", Endpoint.SECRET);
    }

    @Override
    protected void clearData(String prefix) {
        rows.clear();
    }

    @Override
    protected void setMetadata(String prefix, StoreMetadata metadata) {
        String name = Rows.prefixed(prefix, "big_segments_metadata");
        rows.put(name, name, "{\"synchronizedOn\":{\"N\":\"" + metadata.getLastUpToDate() + "\"}}");
    }

    @Override
    protected void setSegments(String prefix, String userHash, Iterable<String> included, Iterable<String> excluded) {
        var attributes = LDValue.buildObject();
        set(attributes, "included", included);
        set(attributes, "excluded", excluded);
        rows.put(Rows.prefixed(prefix, "big_segments_user"), userHash, attributes.build().toJsonString());
    }

    private static void set(com.launchdarkly.sdk.ObjectBuilder attributes, String name, Iterable<String> segments) {
        var array = LDValue.buildArray();
        segments.forEach(array::add);
        LDValue refs = array.build();
        if (refs.size() > 0) attributes.put(name, LDValue.buildObject().put("SS", refs).build());
    }
}
