//! The options of a store: one JSON object, every member checked, none guessed.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::environment::Environment;
use super::namespace::{MAX_KEY_BYTES, Namespaces};
use super::{Code, Error, Result};

/// Everything that decides how a store behaves. Two stores with equal options are one live store, unless `shared` is off.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// Name (or ARN) of the table. Required.
    pub table: String,
    /// Put before every namespace, with a colon; empty for none.
    pub prefix: String,
    /// AWS region; else environment, profile, instance metadata.
    pub region: Option<String>,
    /// URL of the DynamoDB endpoint; else AWS's for the region.
    pub endpoint: Option<String>,
    /// Name of the profile in the AWS configuration files.
    pub profile: Option<String>,
    /// Static credentials; else the default chain.
    pub credentials: Option<Credentials>,
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca_bundle: Option<String>,
    /// What is trusted besides, whatever else decides.
    pub extra_ca_bundle: Option<Pem>,
    /// The proxy through which DynamoDB, STS and IAM Identity Center are spoken to; else as the environment says.
    pub proxy: Option<Proxy>,
    /// Use AWS's FIPS endpoints.
    pub use_fips: bool,
    /// Use AWS's dual-stack endpoints.
    pub use_dual_stack: bool,
    /// Whether reads see every write that was acknowledged before them.
    pub consistent_reads: bool,
    /// How long one connection may take to open.
    pub connect_timeout: Duration,
    /// How long one request may take.
    pub attempt_timeout: Duration,
    /// How long a call on one row may take, retries included.
    pub timeout: Duration,
    /// How long reading a whole kind may take.
    pub all_timeout: Duration,
    /// How long writing a whole data set may take.
    pub init_timeout: Duration,
    /// Most requests in flight at once, and so most connections; further ones wait.
    pub max_connections: u32,
    /// Most writes of an `init` in flight at once.
    pub write_concurrency: u32,
    /// Whether `init` may replace a row by one with a smaller version.
    pub init_overwrites_newer: bool,
    /// Whether an item over DynamoDB's size is stored deflated, beside the older form that other SDKs read.
    pub compress_large: bool,
    /// Whether what `init` and `upsert` were given stands in while DynamoDB cannot be asked, and is written again where it
    /// could not be written.
    pub keep_told: bool,
    /// The cache.
    pub cache: CacheOptions,
    /// Whether opening equal options again gives the same live store.
    pub shared: bool,
    /// Whether the live store stays when its last handle is closed.
    pub persistent: bool,
    /// The least severe events that are kept for the host.
    pub log_level: LogLevel,
    /// The AWS settings of the process, as far as the options above leave any to it; see [`Options::in_this_process`].
    pub environment: Environment,
}

/// How the cache behaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheOptions {
    /// How long a value is served without asking again; `None` for ever, zero for no cache.
    pub ttl: Option<Duration>,
    /// Bound on the memory of cached rows, in bytes.
    pub max_bytes: u64,
    /// Whether hot values are read again shortly before they expire.
    pub refresh_ahead: bool,
    /// How long after expiry a value may stand in for a read that fails.
    pub stale: Duration,
    /// How long a read for which a value may stand in waits for DynamoDB; zero for not at all.
    pub soft_wait: Duration,
    /// The directory of a cache that the processes of the host share; `None` for no such cache.
    pub dir: Option<String>,
    /// Bound on what the files in that directory take, of all tables, prefixes and identities together, in bytes.
    pub dir_max_bytes: u64,
}

impl CacheOptions {
    /// Whether there is a cache at all.
    pub fn enabled(&self) -> bool {
        self.ttl != Some(Duration::ZERO)
    }
}

/// How severe an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Nothing is kept.
    Off,
    /// Something was not done.
    Error,
    /// Something needs a look.
    Warn,
    /// Something happened.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

/// Static AWS credentials.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(not shown)")
    }
}

/// What is given as the proxy.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// No proxy, whatever the environment says.
    None,
    /// The URL of one, which may hold a password.
    Url(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(not shown)")
    }
}

/// Where certificates in PEM form are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Pem {
    /// In the file of this path.
    File(String),
    /// Here, for hosts that have read their own already.
    Text(String),
}

impl From<String> for Pem {
    fn from(given: String) -> Pem {
        if given.contains("-----BEGIN ") { Pem::Text(given) } else { Pem::File(given) }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pem::File(path) => f.debug_tuple("File").field(path).finish(),
            // Files have been seen that hold the private key too.
            Pem::Text(_) => f.write_str("Text(not shown)"),
        }
    }
}

/// Every option's name, for the message about one that does not exist.
const NAMES: [&str; 33] = [
    "table",
    "prefix",
    "region",
    "endpoint",
    "profile",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "ca_bundle",
    "extra_ca_bundle",
    "proxy",
    "use_fips",
    "use_dual_stack",
    "consistent_reads",
    "connect_timeout_ms",
    "attempt_timeout_ms",
    "timeout_ms",
    "all_timeout_ms",
    "init_timeout_ms",
    "max_connections",
    "write_concurrency",
    "init_overwrites_newer",
    "compress_large",
    "cache_ttl_ms",
    "cache_max_bytes",
    "cache_refresh_ahead",
    "cache_stale_ms",
    "soft_wait_ms",
    "cache_dir",
    "cache_dir_max_bytes",
    "keep_told",
    "shared",
    "persistent",
];
/// The one option that is a word out of a list.
const LOG_LEVEL: &str = "log_level";

/// Longest time that makes sense in milliseconds: 100 years, which no arithmetic on clocks overflows.
const MAX_MILLISECONDS: i64 = 100 * 365 * 24 * 3600 * 1000;

impl Options {
    /// Defaults for a table: consistent reads, no cache, times fit for serving web requests.
    pub fn for_table(table: &str) -> Options {
        Options {
            table: table.into(),
            prefix: String::new(),
            region: None,
            endpoint: None,
            profile: None,
            credentials: None,
            ca_bundle: None,
            extra_ca_bundle: None,
            proxy: None,
            use_fips: false,
            use_dual_stack: false,
            consistent_reads: true,
            connect_timeout: Duration::from_millis(1_000),
            attempt_timeout: Duration::from_millis(2_000),
            timeout: Duration::from_millis(5_000),
            all_timeout: Duration::from_millis(30_000),
            init_timeout: Duration::from_millis(300_000),
            max_connections: 128,
            write_concurrency: 128,
            init_overwrites_newer: false,
            compress_large: false,
            keep_told: false,
            cache: CacheOptions {
                ttl: Some(Duration::ZERO),
                max_bytes: 64 * 1024 * 1024,
                refresh_ahead: true,
                stale: Duration::from_millis(300_000),
                soft_wait: Duration::from_millis(250),
                dir: None,
                dir_max_bytes: 256 * 1024 * 1024,
            },
            shared: true,
            persistent: false,
            log_level: LogLevel::Info,
            environment: Environment::default(),
        }
    }

    /// The same options with what they need of the process's environment, unless they have that already. To be called
    /// on the thread that opens the store: stores are shared only where these settings are equal too.
    #[must_use]
    pub fn in_this_process(mut self) -> Options {
        if self.environment.is_empty() {
            self.environment = match (self.is_complete(), &self.ca_bundle, &self.proxy) {
                (false, ..) => Environment::of_this_process(),
                (true, Some(_), Some(_)) => Environment::default(),
                (true, ..) if self.endpoint.as_deref().is_some_and(is_on_this_machine) => Environment::default(),
                (true, ..) => Environment::of_network_in_this_process(),
            };
        }
        self
    }

    /// Whether the keys and the endpoint are given, so that nothing is asked of the process, its files or the machine. The
    /// region is only signed at such an endpoint.
    pub fn is_complete(&self) -> bool {
        self.credentials.is_some() && self.endpoint.is_some()
    }

    /// Reads the JSON object that crosses the C ABI.
    pub fn from_json(text: &str) -> Result<Options> {
        let value = serde_json::from_str::<Value>(text).map_err(|error| {
            Error::new(
                Code::InvalidJson,
                format!("the options are not valid JSON at line {}, column {}", error.line(), error.column()),
            )
        })?;
        let Value::Object(given) = value else {
            return Err(Error::new(
                Code::InvalidJson,
                "the options are not a JSON object, such as {\"table\":\"flags\"}",
            ));
        };
        if let Some(unknown) = given.keys().find(|name| !NAMES.contains(&name.as_str()) && *name != LOG_LEVEL) {
            return Err(Error::new(
                Code::UnknownOption,
                format!("there is no option \"{unknown}\"; there are {} and {LOG_LEVEL}", NAMES.join(", ")),
            ));
        }
        Reader { given: &given }.options()
    }

    /// The namespaces of this store's prefix.
    pub fn namespaces(&self) -> Namespaces {
        Namespaces::new(&self.prefix)
    }
}

/// Whether nothing but loopback, without TLS, is between an endpoint and this process.
fn is_on_this_machine(endpoint: &str) -> bool {
    let authority = endpoint.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = authority.and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
}

/// Takes members out of the object, each with its type and range checked. `null` means the default.
struct Reader<'a> {
    given: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn options(&self) -> Result<Options> {
        let table = self.text("table")?.unwrap_or_default();
        if table.trim().is_empty() {
            return Err(Error::new(
                Code::EmptyTableName,
                "the option \"table\" is missing or empty: give the name of the DynamoDB table",
            ));
        }
        let default = Options::for_table(&table);
        Ok(Options {
            prefix: self.prefix()?,
            region: self.non_empty("region")?,
            endpoint: self.endpoint()?,
            profile: self.non_empty("profile")?,
            credentials: self.credentials()?,
            ca_bundle: self.non_empty("ca_bundle")?,
            extra_ca_bundle: self.non_empty("extra_ca_bundle")?.map(Pem::from),
            proxy: self.proxy()?,
            use_fips: self.flag("use_fips", default.use_fips)?,
            use_dual_stack: self.flag("use_dual_stack", default.use_dual_stack)?,
            consistent_reads: self.flag("consistent_reads", default.consistent_reads)?,
            connect_timeout: self.time("connect_timeout_ms", default.connect_timeout)?,
            attempt_timeout: self.time("attempt_timeout_ms", default.attempt_timeout)?,
            timeout: self.time("timeout_ms", default.timeout)?,
            all_timeout: self.time("all_timeout_ms", default.all_timeout)?,
            init_timeout: self.time("init_timeout_ms", default.init_timeout)?,
            max_connections: u32::try_from(self.number("max_connections", 1, 10_000)?.unwrap_or(128)).unwrap_or(128),
            write_concurrency: u32::try_from(self.number("write_concurrency", 1, 1_000)?.unwrap_or(128)).unwrap_or(128),
            init_overwrites_newer: self.flag("init_overwrites_newer", default.init_overwrites_newer)?,
            compress_large: self.flag("compress_large", default.compress_large)?,
            keep_told: self.flag("keep_told", default.keep_told)?,
            cache: self.cache(default.cache)?,
            shared: self.flag("shared", default.shared)?,
            persistent: self.flag("persistent", default.persistent)?,
            log_level: self.log_level(default.log_level)?,
            ..default
        })
    }

    fn proxy(&self) -> Result<Option<Proxy>> {
        let given = self.non_empty("proxy")?;
        Ok(given.map(|given| if given == "none" { Proxy::None } else { Proxy::Url(given) }))
    }

    /// Both keys of some rows begin with it, such as `$inited`'s, which is the last to be written.
    fn prefix(&self) -> Result<String> {
        let prefix = self.text("prefix")?.unwrap_or_default();
        if Namespaces::new(&prefix).longest_fixed_key() > MAX_KEY_BYTES {
            return Err(value(
                "prefix",
                "is too long for DynamoDB, whose sort keys have 1024 bytes at most: shorten it to 1002 bytes",
            ));
        }
        Ok(prefix)
    }

    fn cache(&self, default: CacheOptions) -> Result<CacheOptions> {
        let ttl = match self.number("cache_ttl_ms", i64::MIN, MAX_MILLISECONDS)? {
            None => default.ttl,
            Some(milliseconds) => u64::try_from(milliseconds).ok().map(Duration::from_millis),
        };
        let max_bytes = self.number("cache_max_bytes", 1, i64::MAX)?.and_then(|bytes| u64::try_from(bytes).ok());
        let milliseconds = |name, default| {
            let given = self.number(name, 0, MAX_MILLISECONDS)?.and_then(|given| u64::try_from(given).ok());
            Ok(given.map_or(default, Duration::from_millis))
        };
        Ok(CacheOptions {
            ttl,
            max_bytes: max_bytes.unwrap_or(default.max_bytes),
            refresh_ahead: self.flag("cache_refresh_ahead", default.refresh_ahead)?,
            stale: milliseconds("cache_stale_ms", default.stale)?,
            soft_wait: milliseconds("soft_wait_ms", default.soft_wait)?,
            dir: self.cache_dir()?,
            dir_max_bytes: self
                .number("cache_dir_max_bytes", 1, i64::MAX)?
                .and_then(|bytes| u64::try_from(bytes).ok())
                .unwrap_or(default.dir_max_bytes),
        })
    }

    fn cache_dir(&self) -> Result<Option<String>> {
        let Some(dir) = self.non_empty("cache_dir")? else { return Ok(None) };
        if cfg!(not(unix)) {
            return Err(value("cache_dir", "is for Unix systems only, where a directory can be private: leave it out"));
        }
        if !std::path::Path::new(&dir).is_absolute() {
            return Err(value("cache_dir", "is not an absolute path, such as /var/cache/my-service"));
        }
        Ok(Some(dir))
    }

    fn credentials(&self) -> Result<Option<Credentials>> {
        match (self.non_empty("access_key_id")?, self.non_empty("secret_access_key")?, self.non_empty("session_token")?)
        {
            (Some(access_key_id), Some(secret_access_key), session_token) => {
                Ok(Some(Credentials { access_key_id, secret_access_key, session_token }))
            }
            (None, None, None) => Ok(None),
            (None, _, _) => Err(value("access_key_id", "is missing: give it together with \"secret_access_key\"")),
            (_, None, _) => Err(value("secret_access_key", "is missing: give it together with \"access_key_id\"")),
        }
    }

    fn endpoint(&self) -> Result<Option<String>> {
        let Some(endpoint) = self.non_empty("endpoint")? else {
            return Ok(None);
        };
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        match host {
            Some(host) if !host.is_empty() && !host.starts_with('/') && !endpoint.contains(char::is_whitespace) => {
                Ok(Some(endpoint))
            }
            _ => Err(value(
                "endpoint",
                "is not a URL such as http://127.0.0.1:8000 or https://dynamodb.eu-west-1.amazonaws.com",
            )),
        }
    }

    fn log_level(&self, default: LogLevel) -> Result<LogLevel> {
        Ok(match self.text(LOG_LEVEL)?.as_deref() {
            None => default,
            Some("off") => LogLevel::Off,
            Some("error") => LogLevel::Error,
            Some("warn") => LogLevel::Warn,
            Some("info") => LogLevel::Info,
            Some("debug") => LogLevel::Debug,
            Some(_) => return Err(value(LOG_LEVEL, "is none of off, error, warn, info, debug")),
        })
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong_type(name, "a string", other)),
        }
    }

    fn non_empty(&self, name: &str) -> Result<Option<String>> {
        match self.text(name)? {
            Some(text) if text.is_empty() => Err(value(name, "is empty: leave it out for the default")),
            text => Ok(text),
        }
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.member(name) {
            None => Ok(default),
            Some(Value::Bool(set)) => Ok(*set),
            Some(other) => Err(wrong_type(name, "true or false", other)),
        }
    }

    fn number(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
                _ => Err(value(name, &format!("is {number}, not a whole number from {least} to {most}"))),
            },
            Some(other) => Err(wrong_type(name, "a number", other)),
        }
    }

    fn time(&self, name: &str, default: Duration) -> Result<Duration> {
        let milliseconds = self.number(name, 1, MAX_MILLISECONDS)?.and_then(|number| u64::try_from(number).ok());
        Ok(milliseconds.map_or(default, Duration::from_millis))
    }
}

fn value(name: &str, complaint: &str) -> Error {
    Error::new(Code::OptionValue, format!("the option \"{name}\" {complaint}"))
}

fn wrong_type(name: &str, wanted: &str, given: &Value) -> Error {
    let given = match given {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Error::new(Code::OptionType, format!("the option \"{name}\" takes {wanted}, not {given}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Options::from_json(text).unwrap_err().code
    }

    #[test]
    fn only_the_table_is_required() {
        assert_eq!(Options::from_json(r#"{"table":"flags"}"#).unwrap(), Options::for_table("flags"));
        assert_eq!(Options::from_json(r#"{"table":"flags","prefix":null}"#).unwrap(), Options::for_table("flags"));
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        for (text, code, named) in [
            ("", Code::InvalidJson, "options"),
            ("[]", Code::InvalidJson, "object"),
            ("{}", Code::EmptyTableName, "table"),
            (r#"{"table":" "}"#, Code::EmptyTableName, "table"),
            (r#"{"table":"t","tabel":"x"}"#, Code::UnknownOption, "tabel"),
            (r#"{"table":1}"#, Code::OptionType, "table"),
            (r#"{"table":"t","shared":"yes"}"#, Code::OptionType, "shared"),
            (r#"{"table":"t","timeout_ms":"5"}"#, Code::OptionType, "timeout_ms"),
            (r#"{"table":"t","timeout_ms":0}"#, Code::OptionValue, "timeout_ms"),
            (r#"{"table":"t","timeout_ms":1.5}"#, Code::OptionValue, "timeout_ms"),
            (r#"{"table":"t","endpoint":"localhost:8000"}"#, Code::OptionValue, "endpoint"),
            (r#"{"table":"t","access_key_id":"a"}"#, Code::OptionValue, "secret_access_key"),
            (r#"{"table":"t","log_level":"loud"}"#, Code::OptionValue, "log_level"),
            (r#"{"table":"t","region":""}"#, Code::OptionValue, "region"),
            (r#"{"table":"t","extra_ca_bundle":""}"#, Code::OptionValue, "extra_ca_bundle"),
            (r#"{"table":"t","compress_large":"yes"}"#, Code::OptionType, "compress_large"),
            (r#"{"table":"t","keep_told":1}"#, Code::OptionType, "keep_told"),
            (r#"{"table":"t","cache_dir":"flags"}"#, Code::OptionValue, "cache_dir"),
            (r#"{"table":"t","cache_dir_max_bytes":0}"#, Code::OptionValue, "cache_dir_max_bytes"),
        ] {
            let error = Options::from_json(text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(error.message.contains(named), "{text}: {error}");
        }
        assert_eq!(code("nonsense"), Code::InvalidJson);
    }

    #[test]
    fn a_time_to_live_is_off_finite_or_for_ever() {
        let ttl = |text: &str| Options::from_json(&format!(r#"{{"table":"t","cache_ttl_ms":{text}}}"#)).unwrap().cache;
        assert!(!ttl("0").enabled());
        assert_eq!(ttl("1500").ttl, Some(Duration::from_millis(1500)));
        assert_eq!(ttl("-1").ttl, None);
        assert!(ttl("-1").enabled());
    }

    #[test]
    fn the_environment_is_taken_as_far_as_something_is_left_to_it() {
        let taken = |text: &str| Options::from_json(text).unwrap().in_this_process().environment;
        let complete = r#"{"table":"t","access_key_id":"a","secret_access_key":"b","endpoint":"http://localhost"}"#;
        assert!(taken(complete).is_empty());
        let variables =
            |environment: Environment| -> Vec<String> { environment.iter().map(|(name, _)| name.to_owned()).collect() };
        let of_tls = variables(taken(&complete.replace("http:", "https:")));
        let of_connections = |name: &String| {
            name.starts_with("SSL_CERT_") || name == "AWS_CA_BUNDLE" || name.to_lowercase().ends_with("_proxy")
        };
        assert!(of_tls.iter().all(of_connections), "{of_tls:?}");
        let all = variables(taken(r#"{"table":"t"}"#));
        assert!(all.iter().all(|name| name != "PATH"), "{all:?}");
        assert_eq!(all.contains(&"HOME".to_owned()), std::env::var("HOME").is_ok());
        // What was taken stays, in a forked child too.
        let mut options = Options::for_table("t");
        options.environment = [("AWS_PROFILE".to_owned(), "s3cr3t".to_owned())].into_iter().collect();
        let again = options.clone().in_this_process();
        assert_eq!(again, options);
        assert_ne!(again, Options::for_table("t"), "stores with other settings are other stores");
        assert!(!format!("{options:?}").contains("s3cr3t"));
    }

    #[test]
    fn credentials_are_never_shown() {
        let options = Options::from_json(
            r#"{"table":"t","access_key_id":"AKIA1","secret_access_key":"s3cr3t","session_token":"t0k3n"}"#,
        )
        .unwrap();
        let shown = format!("{options:?}");
        assert!(!shown.contains("s3cr3t") && !shown.contains("t0k3n") && !shown.contains("AKIA1"), "{shown}");
    }

    #[test]
    fn certificates_are_in_a_file_or_in_the_option_itself_and_then_not_shown() {
        let of = |given: &str| {
            let options = serde_json::json!({"table": "t", "extra_ca_bundle": given}).to_string();
            Options::from_json(&options).unwrap().extra_ca_bundle.unwrap()
        };
        assert_eq!(of("/etc/company.pem"), Pem::File("/etc/company.pem".into()));
        let text = "# ours\n-----BEGIN PRIVATE KEY-----\nPLANTED\n-----END PRIVATE KEY-----\n";
        assert_eq!(of(text), Pem::Text(text.into()));
        assert!(!format!("{:?}", of(text)).contains("PLANTED"));
    }

    #[test]
    fn a_prefix_leaves_room_for_every_row_that_begins_with_it() {
        let open = |length: usize| {
            Options::from_json(&serde_json::json!({"table": "flags", "prefix": "p".repeat(length)}).to_string())
        };
        let prefix = open(1002).unwrap().prefix;
        let namespaces = Namespaces::new(&prefix);
        for key in [namespaces.inited(), namespaces.big_segments_metadata()] {
            assert!(key.len() <= MAX_KEY_BYTES);
        }
        let error = open(1003).unwrap_err();
        assert_eq!(error.code, Code::OptionValue);
        assert!(error.message.contains("\"prefix\"") && error.message.contains("1002"), "{error}");
    }
}
