/**
 * The stores of the LaunchDarkly Java server SDK, in place of the SDK's own DynamoDB integration. Needs the SDK, and the
 * AWS SDK only where its types are passed.
 */
package io.flagstore.launchdarkly;
