using LaunchDarkly.Sdk.Server.Subsystems;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Stands in for <c>LaunchDarkly.Sdk.Server.Integrations.DynamoDB</c>: change the using directive. Same call shape, same
    /// table, same rows: processes with either one share a table.
    /// </summary>
    /// <example>
    /// <code>
    /// var config = Configuration.Builder("sdk-key")
    ///     .DataStore(Components.PersistentDataStore(DynamoDB.DataStore("my-table").Prefix("production")))
    ///     .BigSegments(Components.BigSegments(DynamoDB.BigSegmentStore("my-table").Prefix("production")))
    ///     .Build();
    /// </code>
    /// </example>
    public static class DynamoDB
    {
        /// <summary>Name of the table's partition key, a string.</summary>
        public const string DataStorePartitionKey = "namespace";

        /// <summary>Name of the table's sort key, a string.</summary>
        public const string DataStoreSortKey = "key";

        /// <summary>
        /// A data store for <c>Components.PersistentDataStore</c>, which caches as with the SDK's own integration.
        /// </summary>
        /// <param name="tableName">name or ARN of a table with the keys above, which must exist when it is used first</param>
        /// <returns>a builder for the store's options</returns>
        public static DynamoDBStoreBuilder<IPersistentDataStore> DataStore(string tableName) =>
            new DynamoDBStoreBuilder<IPersistentDataStore>(
                tableName, "DataStore.DynamoDB", (store, log, context) => new DynamoDBDataStore(store, log, context.DataStoreUpdates))
                .KeepTold(true);

        /// <summary>A Big Segment store for <c>Components.BigSegments</c>.</summary>
        /// <param name="tableName">name or ARN of a table with the keys above, which must exist when it is used first</param>
        /// <returns>a builder for the store's options</returns>
        public static DynamoDBStoreBuilder<IBigSegmentStore> BigSegmentStore(string tableName) =>
            new DynamoDBStoreBuilder<IBigSegmentStore>(
                tableName, "BigSegments.DynamoDB", (store, log, context) => new DynamoDBBigSegmentStore(store, log));
    }
}
