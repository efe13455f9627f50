using System;
using System.Collections.Generic;
using System.Linq;

namespace Flagstore
{
    /// <summary>
    /// Options of a <see cref="FlagStore"/>. All but the table are optional; what is not set, or null, has the default that is
    /// named. Not to be changed by several threads at the same time.
    /// </summary>
    public sealed class FlagStoreOptions
    {
        private readonly Dictionary<string, object> options = new Dictionary<string, object>(StringComparer.Ordinal);

        /// <summary>Options of a store.</summary>
        /// <param name="table">name or ARN of a table whose key is <c>namespace</c> (string) and <c>key</c> (string)</param>
        public FlagStoreOptions(string table)
        {
            this["table"] = table ?? "";
        }

        /// <summary>
        /// Any option by its name in the C ABI, such as <c>timeout_ms</c>. The name is checked when the store is opened.
        /// </summary>
        /// <param name="name">the name</param>
        /// <value>a string, bool, int, long, <see cref="TimeSpan"/> (milliseconds), <see cref="Uri"/>, or null for the
        /// default</value>
        public object this[string name]
        {
            get => options.TryGetValue(name, out object value) ? value : null;
            set => options[name] = value;
        }

        internal IEnumerable<KeyValuePair<string, object>> All => options;

        /// <summary>
        /// Who gets events. They come after calls, on the thread that made the call or completes its task; after reads that went
        /// well ten times a second at most. Each comes once, and stores that share a live store share its events. By default they
        /// go to <see cref="FlagStore.Trace"/>.
        /// </summary>
        public Action<StoreEvent> OnEvent { get; set; }

        /// <summary>Name or ARN of the table.</summary>
        public string Table => this["table"] as string;

        /// <summary>Put before every namespace, with a colon; null or empty, the default, for none.</summary>
        public string Prefix
        {
            get => this["prefix"] as string;
            set => this["prefix"] = value;
        }

        /// <summary>The AWS region; by default that of the environment, the profile or the instance.</summary>
        public string Region
        {
            get => this["region"] as string;
            set => this["region"] = value;
        }

        /// <summary>Another DynamoDB endpoint; by default AWS's for the region.</summary>
        public Uri Endpoint
        {
            get => this["endpoint"] as Uri;
            set => this["endpoint"] = value;
        }

        /// <summary>
        /// The profile of the AWS configuration files, by default <c>AWS_PROFILE</c>, else <c>default</c>. It goes before
        /// credentials of the environment.
        /// </summary>
        public string Profile
        {
            get => this["profile"] as string;
            set => this["profile"] = value;
        }

        /// <summary>Static credentials, in place of those that AWS's usual chain finds; with a secret.</summary>
        public string AccessKeyId
        {
            get => this["access_key_id"] as string;
            set => this["access_key_id"] = value;
        }

        /// <summary>The secret of <see cref="AccessKeyId"/>.</summary>
        public string SecretAccessKey
        {
            get => this["secret_access_key"] as string;
            set => this["secret_access_key"] = value;
        }

        /// <summary>The token that came with temporary credentials.</summary>
        public string SessionToken
        {
            get => this["session_token"] as string;
            set => this["session_token"] = value;
        }

        /// <summary>PEM file of the certificate authorities to trust; by default the system's.</summary>
        public string CaBundle
        {
            get => this["ca_bundle"] as string;
            set => this["ca_bundle"] = value;
        }

        /// <summary>PEM file, or its text, of certificates to trust besides, such as those of a company's proxy; by default none.</summary>
        public string ExtraCaBundle
        {
            get => this["extra_ca_bundle"] as string;
            set => this["extra_ca_bundle"] = value;
        }

        /// <summary>
        /// URL of the proxy that DynamoDB and STS are reached through, such as <c>http://user:password@host:3128</c>; <c>none</c>
        /// for none. By default as <c>HTTPS_PROXY</c>, <c>HTTP_PROXY</c> and <c>NO_PROXY</c> say.
        /// </summary>
        public string Proxy
        {
            get => this["proxy"] as string;
            set => this["proxy"] = value;
        }

        /// <summary>AWS's FIPS endpoint; false by default.</summary>
        public bool? UseFips
        {
            get => this["use_fips"] as bool?;
            set => this["use_fips"] = value;
        }

        /// <summary>AWS's dual-stack endpoint; false by default.</summary>
        public bool? UseDualStack
        {
            get => this["use_dual_stack"] as bool?;
            set => this["use_dual_stack"] = value;
        }

        /// <summary>Whether reads see every acknowledged write: true by default; false halves the read units.</summary>
        public bool? ConsistentReads
        {
            get => this["consistent_reads"] as bool?;
            set => this["consistent_reads"] = value;
        }

        /// <summary>The limit on opening one connection; one second by default.</summary>
        public TimeSpan? ConnectTimeout
        {
            get => this["connect_timeout_ms"] as TimeSpan?;
            set => this["connect_timeout_ms"] = value;
        }

        /// <summary>The limit on one request; two seconds by default.</summary>
        public TimeSpan? AttemptTimeout
        {
            get => this["attempt_timeout_ms"] as TimeSpan?;
            set => this["attempt_timeout_ms"] = value;
        }

        /// <summary>The limit on one call on a row, retries included; five seconds by default.</summary>
        public TimeSpan? Timeout
        {
            get => this["timeout_ms"] as TimeSpan?;
            set => this["timeout_ms"] = value;
        }

        /// <summary>The limit on reading a whole kind; 30 seconds by default.</summary>
        public TimeSpan? AllTimeout
        {
            get => this["all_timeout_ms"] as TimeSpan?;
            set => this["all_timeout_ms"] = value;
        }

        /// <summary>The limit on writing a whole data set; five minutes by default.</summary>
        public TimeSpan? InitTimeout
        {
            get => this["init_timeout_ms"] as TimeSpan?;
            set => this["init_timeout_ms"] = value;
        }

        /// <summary>
        /// The most requests in flight, and so the most connections, 128 by default and 10,000 at most; further ones wait inside
        /// their deadline. Never more than a quarter of the files that the process may open.
        /// </summary>
        public int? MaxConnections
        {
            get => this["max_connections"] as int?;
            set => this["max_connections"] = value;
        }

        /// <summary>
        /// The most writes of an init in flight, 128 by default and 1,000 at most; it starts lower and adapts to throttling.
        /// </summary>
        public int? WriteConcurrency
        {
            get => this["write_concurrency"] as int?;
            set => this["write_concurrency"] = value;
        }

        /// <summary>
        /// Whether an init replaces rows whose stored version is newer than the data set's; false by default.
        /// </summary>
        public bool? InitOverwritesNewer
        {
            get => this["init_overwrites_newer"] as bool?;
            set => this["init_overwrites_newer"] = value;
        }

        /// <summary>How long a value is served without asking: zero, the default, for no cache; negative for ever.</summary>
        public TimeSpan? CacheTtl
        {
            get => this["cache_ttl_ms"] as TimeSpan?;
            set => this["cache_ttl_ms"] = value;
        }

        /// <summary>The bound on what the cache holds, in bytes; 64 MiB by default.</summary>
        public long? CacheMaxBytes
        {
            get => this["cache_max_bytes"] as long?;
            set => this["cache_max_bytes"] = value;
        }

        /// <summary>Whether hot values are read again at 80 % of their time to live; true by default.</summary>
        public bool? CacheRefreshAhead
        {
            get => this["cache_refresh_ahead"] as bool?;
            set => this["cache_refresh_ahead"] = value;
        }

        /// <summary>How long after its expiry a value may stand in for a read that fails; five minutes by default.</summary>
        public TimeSpan? CacheStale
        {
            get => this["cache_stale_ms"] as TimeSpan?;
            set => this["cache_stale_ms"] = value;
        }

        /// <summary>
        /// How long a read for which a value may stand in waits for DynamoDB; the request goes on, and its answer is kept.
        /// 250 ms by default, zero for not at all.
        /// </summary>
        public TimeSpan? SoftWait
        {
            get => this["soft_wait_ms"] as TimeSpan?;
            set => this["soft_wait_ms"] = value;
        }

        /// <summary>
        /// Whether what Init and Upsert were given is kept: it stands in while DynamoDB does not answer, and what could not be
        /// written is written later. It costs about as much memory as the data set. False by default.
        /// </summary>
        public bool? KeepTold
        {
            get => this["keep_told"] as bool?;
            set => this["keep_told"] = value;
        }

        /// <summary>
        /// A folder that all processes of the host share as a cache, which survives restarts and stands in while DynamoDB does not
        /// answer: an absolute path. It is made if it is missing, private to the user.
        /// </summary>
        public string CacheDir
        {
            get => this["cache_dir"] as string;
            set => this["cache_dir"] = value;
        }

        /// <summary>The bound on the files of <see cref="CacheDir"/>, in bytes; 256 MiB by default.</summary>
        public long? CacheDirMaxBytes
        {
            get => this["cache_dir_max_bytes"] as long?;
            set => this["cache_dir_max_bytes"] = value;
        }

        /// <summary>
        /// Whether an item that is over DynamoDB's 400 KB is stored deflated, where only this library sees it. False by default.
        /// </summary>
        public bool? CompressLarge
        {
            get => this["compress_large"] as bool?;
            set => this["compress_large"] = value;
        }

        /// <summary>
        /// Whether opening equal options again gives the same live store: connections, cache, events. True by default.
        /// </summary>
        public bool? Shared
        {
            get => this["shared"] as bool?;
            set => this["shared"] = value;
        }

        /// <summary>Whether connections and cache outlive the last store that is disposed; false by default.</summary>
        public bool? Persistent
        {
            get => this["persistent"] as bool?;
            set => this["persistent"] = value;
        }

        /// <summary>
        /// The least severe events that are kept: <c>off</c>, <c>error</c>, <c>warn</c>, <c>info</c> (the default) or
        /// <c>debug</c>.
        /// </summary>
        public string LogLevel
        {
            get => this["log_level"] as string;
            set => this["log_level"] = value;
        }

        /// <summary>The options that are set, without anything secret.</summary>
        /// <returns>such as <c>{table=flags, region=eu-west-1, secret_access_key=(set)}</c></returns>
        public override string ToString() =>
            "{" + string.Join(", ", All.Where(option => option.Value != null).Select(option => option.Key + "=" + Shown(option))) + "}";

        private static string Shown(KeyValuePair<string, object> option)
        {
            switch (option.Key)
            {
                case "access_key_id":
                case "secret_access_key":
                case "session_token":
                    return "(set)";
                case "endpoint":
                    return WithoutUser(option.Value as Uri);
                case "proxy":
                    if (Equals(option.Value, "none")) goto default;
                    return WithoutUser(Uri.TryCreate(option.Value.ToString(), UriKind.Absolute, out Uri proxy) ? proxy : null);
                default:
                    return option.Value.ToString();
            }
        }

        /// <summary>Not who logs in, which a URL may say; what is none may say anything.</summary>
        private static string WithoutUser(Uri url) =>
            url == null || !url.IsAbsoluteUri
                ? "(set)"
                : url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
    }
}
