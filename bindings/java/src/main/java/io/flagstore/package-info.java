/**
 * The LaunchDarkly DynamoDB feature store, through the shared library libflagstore.
 *
 * <p>With the LaunchDarkly SDK use {@link io.flagstore.launchdarkly.DynamoDb}, without it {@link io.flagstore.FlagStore}.
 */
package io.flagstore;
