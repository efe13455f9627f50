/**
 * The LaunchDarkly DynamoDB feature store, through {@code libflagstore}.
 *
 * <p>{@link io.flagstore.launchdarkly} needs the LaunchDarkly SDK where it is used, and the AWS SDK where its types are
 * passed. Neither has a name of its own as a module, so that an image of {@code jlink} holds {@link io.flagstore}, and an
 * application with the SDK has this jar on its class path, or both on its module path.
 */
@SuppressWarnings({"requires-automatic", "requires-transitive-automatic"})
module io.flagstore {
    requires static transitive launchdarkly.java.server.sdk;
    requires static transitive software.amazon.awssdk.auth;
    requires static transitive software.amazon.awssdk.core;
    requires static transitive software.amazon.awssdk.services.dynamodb;
    requires static software.amazon.awssdk.retries.api;

    exports io.flagstore;
    exports io.flagstore.launchdarkly;
}
