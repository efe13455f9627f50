using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using LaunchDarkly.Sdk;
using LaunchDarkly.Sdk.Server.Subsystems;

namespace Flagstore.LaunchDarkly
{
    /// <summary>
    /// Options of a store for the LaunchDarkly SDK, as those of the SDK's own integration. What cannot be carried over to
    /// libflagstore is refused by name rather than ignored.
    /// </summary>
    /// <typeparam name="T">the component that is built</typeparam>
    public sealed class DynamoDBStoreBuilder<T> : IComponentConfigurer<T>, IDiagnosticDescription
    {
        private readonly string tableName;
        private readonly string logName;
        private readonly Func<FlagStore, Log, LdClientContext, T> wrap;

        // In the order in which they were set: the last one counts.
        private readonly Dictionary<string, object> translated = new Dictionary<string, object>();
        private readonly Dictionary<string, object> own = new Dictionary<string, object>();

        internal DynamoDBStoreBuilder(string tableName, string logName, Func<FlagStore, Log, LdClientContext, T> wrap)
        {
            this.tableName = tableName;
            this.logName = logName;
            this.wrap = wrap;
        }

        /// <summary>Put before every namespace, with a colon: for environments that share a table.</summary>
        /// <param name="prefix">null or empty, the default, for none</param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> Prefix(string prefix) => Translated("prefix", prefix);

        /// <summary>The AWS region.</summary>
        /// <param name="region">such as <c>eu-west-1</c>; by default that of the environment, the profile or the instance</param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> Region(string region) => Translated("region", region);

        /// <summary>Another DynamoDB endpoint.</summary>
        /// <param name="endpoint">by default AWS's for the region</param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> Endpoint(Uri endpoint) => Translated("endpoint", endpoint);

        /// <summary>The profile of the AWS configuration files.</summary>
        /// <param name="profile">by default <c>AWS_PROFILE</c>, else <c>default</c></param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> Profile(string profile) => Translated("profile", profile);

        /// <summary>Static credentials, in place of those that AWS's usual chain finds.</summary>
        /// <param name="accessKeyId">the access key</param>
        /// <param name="secretAccessKey">its secret</param>
        /// <param name="sessionToken">the token that came with temporary ones, or null</param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> Credentials(string accessKeyId, string secretAccessKey, string sessionToken = null)
        {
            Translated("access_key_id", accessKeyId);
            Translated("secret_access_key", secretAccessKey);
            return Translated("session_token", sessionToken);
        }

        /// <summary>
        /// Credentials of the AWS SDK for .NET, on which this package does not depend: they are read, not used.
        /// <c>BasicAWSCredentials</c> and <c>SessionAWSCredentials</c> are carried over. Others are renewed by .NET code and are
        /// refused: libflagstore itself finds and renews credentials of the environment, profiles, assumed roles, web identities,
        /// SSO, containers and instances.
        /// </summary>
        /// <param name="credentials">an <c>AWSCredentials</c>, or null for the usual chain</param>
        /// <returns>this builder</returns>
        /// <exception cref="FlagStoreException">they cannot be carried over; the message says what to do instead</exception>
        public DynamoDBStoreBuilder<T> Credentials(object credentials) => Translated(AwsOptions.OfCredentials(credentials));

        /// <summary>
        /// Region, endpoint, timeout of a request, profile and endpoint variants out of a client configuration of the AWS SDK for
        /// .NET, which is read, not used. What else is set in it is refused by name.
        /// </summary>
        /// <param name="configuration">an <c>AmazonDynamoDBConfig</c>, or null</param>
        /// <returns>this builder</returns>
        /// <exception cref="FlagStoreException">something in it cannot be carried over; the message names it and says what to do
        /// instead</exception>
        public DynamoDBStoreBuilder<T> Configuration(object configuration) => Translated(AwsOptions.OfConfiguration(configuration));

        /// <summary>
        /// Whether the store keeps what the SDK gives it, which then stands in while DynamoDB does not answer, and is written when it
        /// does again. It costs about as much memory as the flags; in daemon mode nothing is given and nothing kept.
        /// </summary>
        /// <param name="keep">true for a data store by default</param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> KeepTold(bool keep) => Translated("keep_told", keep);

        /// <summary>Not here: requests are made by libflagstore, so that a client of the AWS SDK cannot be used.</summary>
        /// <param name="client">what cannot be used</param>
        /// <returns>nothing</returns>
        [Obsolete(NoClient, true)]
        public DynamoDBStoreBuilder<T> ExistingClient(object client) => throw AwsOptions.Refused("ExistingClient", NoClient);

        private const string NoClient =
            "cannot be used, since requests are made by libflagstore: give what the client was built with to Region, Endpoint,"
            + " Credentials and Configuration, or as Option";

        /// <summary>
        /// An option of the store itself by its name in the C ABI, such as <c>timeout_ms</c>; see
        /// <see cref="FlagStoreOptions"/>. It goes before what the other methods say.
        /// </summary>
        /// <param name="name">its name</param>
        /// <param name="value">a string, bool, int, long, <see cref="TimeSpan"/> (milliseconds), <see cref="Uri"/>, or null for
        /// the default</param>
        /// <returns>this builder</returns>
        public DynamoDBStoreBuilder<T> Option(string name, object value)
        {
            own[name] = value;
            return this;
        }

        /// <summary>Called by the SDK. Costs no network I/O and needs no table yet.</summary>
        /// <param name="context">whose logger gets the store's events and failures</param>
        /// <returns>the store</returns>
        /// <exception cref="FlagStoreException">an option is unknown, of the wrong type or out of range; the message names
        /// it</exception>
        /// <exception cref="LibraryException">libflagstore cannot be loaded</exception>
        public T Build(LdClientContext context)
        {
            var log = new Log(context.Logger.SubLogger(logName));
            FlagStoreOptions options = Merged();
            options.OnEvent = happened => log.Write(happened.Level, happened.Message);
            FlagStore store = FlagStore.Open(options);
            log.Write(EventLevel.Info, "Using DynamoDB " + options + " through libflagstore " + FlagStore.LibraryVersion);
            return wrap(store, log, context);
        }

        /// <summary>
        /// Looks at everything between this process and its flags with the options of this builder, says what is wrong and what to
        /// do about it: <see cref="FlagStore.Doctor"/>.
        /// </summary>
        /// <returns>what was found</returns>
        /// <exception cref="FlagStoreException">an option is unknown, of the wrong type or out of range; the message names
        /// it</exception>
        public Report Doctor() => FlagStore.Doctor(Merged());

        /// <summary><see cref="Doctor"/> without blocking.</summary>
        /// <param name="cancellationToken">cancels the task; what was begun ends by itself</param>
        /// <returns>a task that fails with the exception that <see cref="Doctor"/> would throw</returns>
        public Task<Report> DoctorAsync(CancellationToken cancellationToken = default(CancellationToken)) =>
            FlagStore.DoctorAsync(Merged(), cancellationToken);

        /// <summary>Called by the SDK, whose diagnostics name the kind of the store.</summary>
        /// <param name="context">not used</param>
        /// <returns>the name</returns>
        public LdValue DescribeConfiguration(LdClientContext context) => LdValue.Of("DynamoDB");

        private FlagStoreOptions Merged()
        {
            var options = new FlagStoreOptions(tableName);
            foreach (KeyValuePair<string, object> option in translated) options[option.Key] = option.Value;
            foreach (KeyValuePair<string, object> option in own) options[option.Key] = option.Value;
            return options;
        }

        private DynamoDBStoreBuilder<T> Translated(string name, object value)
        {
            translated[name] = value;
            return this;
        }

        private DynamoDBStoreBuilder<T> Translated(IEnumerable<KeyValuePair<string, object>> options)
        {
            foreach (KeyValuePair<string, object> option in options) Translated(option.Key, option.Value);
            return this;
        }
    }
}
