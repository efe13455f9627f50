package io.flagstore.launchdarkly;

import io.flagstore.Endpoint;

/** The builders of the tests. */
final class Adapter {
    private Adapter() {}

    static <T> DynamoDbStoreBuilder<T> local(DynamoDbStoreBuilder<T> builder, String prefix) {
        return on(Endpoint.local(), builder, prefix);
    }

    static <T> DynamoDbStoreBuilder<T> on(Endpoint endpoint, DynamoDbStoreBuilder<T> builder, String prefix) {
        return builder.prefix(prefix)
                .endpoint(endpoint.url())
                .option("region", "us-east-1")
                .option("access_key_id", "test")
                .option("secret_access_key", Endpoint.SECRET);
    }
}
