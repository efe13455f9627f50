package io.flagstore;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Options of a {@link FlagStore}. All are optional; what is not set has the default that is named. Null means the default
 * too. Not to be used by several threads at the same time.
 */
public final class FlagStoreBuilder {
    private final String table;
    private final Map<String, Object> options = new LinkedHashMap<>();
    private Consumer<Event> onEvent = FlagStoreBuilder::log;
    private boolean underMonitor;

    FlagStoreBuilder(String table) {
        this.table = table;
    }

    /**
     * Opens the store. Costs no network I/O and needs no table yet: a wrong one shows at the first call.
     *
     * @return a store, to be closed
     * @throws FlagStoreException if an option is unknown, of the wrong type or out of range; the message names it
     * @throws LibraryException if libflagstore cannot be loaded
     */
    public FlagStore open() {
        return new FlagStore(table, all(), onEvent, underMonitor);
    }

    private Map<String, Object> all() {
        Map<String, Object> all = new LinkedHashMap<>(options);
        all.put("table", table == null ? "" : table);
        return all;
    }

    /**
     * Looks at everything between this process and its flags, says what is wrong and what to do about it.
     *
     * <p>Opens no store. It reads all flags and segments once, and asks for two writes that cannot succeed; nothing is written
     * or cached. Whatever is wrong with table, network or credentials stands in the report. Blocks for at most four times the
     * option {@code timeout_ms} and twice {@code all_timeout_ms}; a virtual thread leaves its carrier. An interrupt ends the
     * wait, with {@code STORE_CANCELLED}, and stays set; what was begun ends by itself.
     *
     * @return what was found
     * @throws FlagStoreException if an option is unknown, of the wrong type or out of range; the message names it
     * @throws LibraryException if libflagstore cannot be loaded
     */
    public Report doctor() {
        return Doctor.awaited(doctorAsync());
    }

    /**
     * {@link #doctor} without blocking.
     *
     * @return a future that fails with the exception that {@code doctor} would throw
     */
    public CompletableFuture<Report> doctorAsync() {
        return Doctor.asked(all());
    }

    /**
     * Any option by its name in the C ABI, such as {@code timeout_ms}.
     *
     * @param name the name, which is checked by {@link #open}
     * @param value a String, boolean, int, long, {@link Duration} (milliseconds), {@link URI} or {@link Path}
     * @return this builder
     */
    public FlagStoreBuilder option(String name, Object value) {
        options.put(name, value);
        return this;
    }

    /**
     * Who gets events. They come after calls, on the thread that made the call or completes its future; after reads that
     * went well ten times a second at most. By default they go to the {@link System.Logger} {@value FlagStore#LOGGER}.
     *
     * @param recipient is given each event once; stores that share a live store share its events
     * @return this builder
     */
    public FlagStoreBuilder onEvent(Consumer<Event> recipient) {
        onEvent = recipient == null ? FlagStoreBuilder::log : recipient;
        return this;
    }

    /**
     * Whether virtual threads call the store while they hold a monitor ({@code synchronized}), as LaunchDarkly's SDK does. Until
     * Java 24 such a thread keeps its carrier. With this it is given up to the scheduler for as long as the thread waits: another
     * carrier takes over, up to {@code jdk.virtualThreadScheduler.maxPoolSize} (256 by default). Threads without a monitor
     * need no carrier while they wait, and are better off without this.
     *
     * @param they false by default; true for the SDK's stores
     * @return this builder
     */
    public FlagStoreBuilder callersHoldMonitors(boolean they) {
        underMonitor = they;
        return this;
    }

    private static void log(Event event) {
        System.Logger logger = System.getLogger(FlagStore.LOGGER);
        // As a supplier: a text would be taken for a pattern by some loggers.
        if (logger.isLoggable(event.level())) logger.log(event.level(), event::message);
    }

    /**
     * Put before every namespace, with a colon.
     *
     * @param prefix null or empty, the default, for none
     * @return this builder
     */
    public FlagStoreBuilder prefix(String prefix) {
        return option("prefix", prefix);
    }

    /**
     * The AWS region.
     *
     * @param region by default that of the environment, the profile or the instance
     * @return this builder
     */
    public FlagStoreBuilder region(String region) {
        return option("region", region);
    }

    /**
     * Another DynamoDB endpoint.
     *
     * @param endpoint by default AWS's for the region
     * @return this builder
     */
    public FlagStoreBuilder endpoint(URI endpoint) {
        return option("endpoint", endpoint);
    }

    /**
     * The profile of the AWS configuration files. It goes before credentials of the environment.
     *
     * @param profile by default {@code AWS_PROFILE}, else {@code default}
     * @return this builder
     */
    public FlagStoreBuilder profile(String profile) {
        return option("profile", profile);
    }

    /**
     * Static credentials, in place of those that AWS's usual chain finds.
     *
     * @param accessKeyId the access key
     * @param secretAccessKey its secret
     * @return this builder
     */
    public FlagStoreBuilder credentials(String accessKeyId, String secretAccessKey) {
        return credentials(accessKeyId, secretAccessKey, null);
    }

    /**
     * Static temporary credentials.
     *
     * @param accessKeyId the access key
     * @param secretAccessKey its secret
     * @param sessionToken the token that came with them, or null
     * @return this builder
     */
    public FlagStoreBuilder credentials(String accessKeyId, String secretAccessKey, String sessionToken) {
        option("access_key_id", accessKeyId);
        option("secret_access_key", secretAccessKey);
        return option("session_token", sessionToken);
    }

    /**
     * The certificate authorities to trust.
     *
     * @param bundle a PEM file; by default the system's
     * @return this builder
     */
    public FlagStoreBuilder caBundle(Path bundle) {
        return option("ca_bundle", bundle);
    }

    /**
     * Certificates to trust besides, such as those of a company's proxy.
     *
     * @param bundle a PEM file; by default none. {@code option} takes its text too
     * @return this builder
     */
    public FlagStoreBuilder extraCaBundle(Path bundle) {
        return option("extra_ca_bundle", bundle);
    }

    /**
     * The proxy through which DynamoDB, STS and IAM Identity Center are reached.
     *
     * @param proxy {@code http://USER:PASSWORD@HOST:PORT}, or {@code none} for no proxy; by default {@code HTTPS_PROXY},
     *     {@code HTTP_PROXY} and {@code NO_PROXY} of the environment
     * @return this builder
     */
    public FlagStoreBuilder proxy(String proxy) {
        return option("proxy", proxy);
    }

    /**
     * AWS's FIPS endpoint.
     *
     * @param use false by default
     * @return this builder
     */
    public FlagStoreBuilder useFips(boolean use) {
        return option("use_fips", use);
    }

    /**
     * AWS's dual-stack endpoint.
     *
     * @param use false by default
     * @return this builder
     */
    public FlagStoreBuilder useDualStack(boolean use) {
        return option("use_dual_stack", use);
    }

    /**
     * Whether reads see every acknowledged write.
     *
     * @param consistent true by default; false halves the read units
     * @return this builder
     */
    public FlagStoreBuilder consistentReads(boolean consistent) {
        return option("consistent_reads", consistent);
    }

    /**
     * The limit on opening one connection.
     *
     * @param limit 1 s by default
     * @return this builder
     */
    public FlagStoreBuilder connectTimeout(Duration limit) {
        return option("connect_timeout_ms", limit);
    }

    /**
     * The limit on one request.
     *
     * @param limit 2 s by default
     * @return this builder
     */
    public FlagStoreBuilder attemptTimeout(Duration limit) {
        return option("attempt_timeout_ms", limit);
    }

    /**
     * The limit on one call on a row, retries included.
     *
     * @param limit 5 s by default
     * @return this builder
     */
    public FlagStoreBuilder timeout(Duration limit) {
        return option("timeout_ms", limit);
    }

    /**
     * The limit on reading a whole kind.
     *
     * @param limit 30 s by default
     * @return this builder
     */
    public FlagStoreBuilder allTimeout(Duration limit) {
        return option("all_timeout_ms", limit);
    }

    /**
     * The limit on writing a whole data set.
     *
     * @param limit 5 min by default
     * @return this builder
     */
    public FlagStoreBuilder initTimeout(Duration limit) {
        return option("init_timeout_ms", limit);
    }

    /**
     * The most requests in flight, and so the most connections; further ones wait inside their deadline. Never more than
     * a quarter of the files that the process may open.
     *
     * @param most 128 by default, 10,000 at most
     * @return this builder
     */
    public FlagStoreBuilder maxConnections(int most) {
        return option("max_connections", most);
    }

    /**
     * The most writes of an init in flight; it starts lower and adapts to throttling.
     *
     * @param most 128 by default, 1,000 at most
     * @return this builder
     */
    public FlagStoreBuilder writeConcurrency(int most) {
        return option("write_concurrency", most);
    }

    /**
     * Whether an init replaces rows whose stored version is newer than the data set's.
     *
     * @param overwrite false by default
     * @return this builder
     */
    public FlagStoreBuilder initOverwritesNewer(boolean overwrite) {
        return option("init_overwrites_newer", overwrite);
    }

    /**
     * Whether an item over DynamoDB's 400 KB is stored deflated, in attributes of its own, which other SDKs do not read.
     *
     * @param compress false by default
     * @return this builder
     */
    public FlagStoreBuilder compressLarge(boolean compress) {
        return option("compress_large", compress);
    }

    /**
     * How long a value is served without asking.
     *
     * @param timeToLive zero, the default, for no cache; negative for ever
     * @return this builder
     */
    public FlagStoreBuilder cacheTtl(Duration timeToLive) {
        return option("cache_ttl_ms", timeToLive);
    }

    /**
     * The bound on what the cache holds.
     *
     * @param bytes 64 MiB by default
     * @return this builder
     */
    public FlagStoreBuilder cacheMaxBytes(long bytes) {
        return option("cache_max_bytes", bytes);
    }

    /**
     * Whether hot values are read again at 80 % of their time to live.
     *
     * @param ahead true by default
     * @return this builder
     */
    public FlagStoreBuilder cacheRefreshAhead(boolean ahead) {
        return option("cache_refresh_ahead", ahead);
    }

    /**
     * How long after its expiry a value may stand in for a read that fails.
     *
     * @param time 5 min by default
     * @return this builder
     */
    public FlagStoreBuilder cacheStale(Duration time) {
        return option("cache_stale_ms", time);
    }

    /**
     * How long a read for which a value may stand in waits for DynamoDB; the request goes on, and its answer is kept.
     *
     * @param time 250 ms by default, zero for not at all
     * @return this builder
     */
    public FlagStoreBuilder softWait(Duration time) {
        return option("soft_wait_ms", time);
    }

    /**
     * Whether what {@code init} and {@code upsert} were given stands in while DynamoDB cannot be asked, also without a
     * cache. What could not be written is written when the table is back, and before {@link FlagStore#available} says that
     * it is.
     *
     * @param keep false by default
     * @return this builder
     */
    public FlagStoreBuilder keepTold(boolean keep) {
        return option("keep_told", keep);
    }

    /**
     * A cache that the processes of a host share, which survives restarts and stands in when DynamoDB is away, also in a
     * process that starts then. With a {@link #cacheTtl} of zero it only stands in. For Unix.
     *
     * @param folder the absolute path of a folder, which is made for this user alone; none by default
     * @return this builder
     */
    public FlagStoreBuilder cacheDir(Path folder) {
        return option("cache_dir", folder);
    }

    /**
     * The bound on the files of one table and prefix in {@link #cacheDir}.
     *
     * @param bytes 256 MiB by default
     * @return this builder
     */
    public FlagStoreBuilder cacheDirMaxBytes(long bytes) {
        return option("cache_dir_max_bytes", bytes);
    }

    /**
     * Whether opening equal options again gives the same live store: connections, cache, events.
     *
     * @param share true by default
     * @return this builder
     */
    public FlagStoreBuilder shared(boolean share) {
        return option("shared", share);
    }

    /**
     * Whether connections and cache outlive the last {@link FlagStore#close}.
     *
     * @param keep false by default
     * @return this builder
     */
    public FlagStoreBuilder persistent(boolean keep) {
        return option("persistent", keep);
    }

    /**
     * The least severe events that are kept.
     *
     * @param level {@code off}, {@code error}, {@code warn}, {@code info} (the default) or {@code debug}
     * @return this builder
     */
    public FlagStoreBuilder logLevel(String level) {
        return option("log_level", level);
    }
}
