//! What a store is opened with.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use flagstore::abi::store_abi_version;
use flagstore::model::options::Options;
use flagstore::store::{Store, doctor};
use launchdarkly_server_sdk::{PersistentDataStore, PersistentDataStoreBuilder, PersistentDataStoreFactory};
use serde_json::{Map, Value};

use crate::{DataStore, Error};

/// What must never be shown.
const SECRET: [&str; 2] = ["secret_access_key", "session_token"];

/// A table of DynamoDB, and how it is used. Nothing is checked or connected before a store is made of it.
///
/// Everything has a default but the table. Each method says its option's name in the library's table of options, which
/// errors name; [`option`](DynamoDb::option) sets those that have no method here.
#[derive(Clone)]
pub struct DynamoDb {
    given: Map<String, Value>,
}

impl DynamoDb {
    /// The table of this name. It must exist, with the string keys `namespace` (partition) and `key` (sort).
    pub fn table(name: impl Into<String>) -> DynamoDb {
        let given =
            Map::from_iter([("table".to_owned(), Value::from(name.into())), ("keep_told".to_owned(), true.into())]);
        DynamoDb { given }
    }

    /// `prefix`: which environment's rows, where several share a table. By default none.
    pub fn prefix(self, prefix: impl Into<String>) -> DynamoDb {
        self.option("prefix", prefix.into())
    }

    /// `region`, such as `eu-west-1`. By default the environment's or the profile's.
    pub fn region(self, region: impl Into<String>) -> DynamoDb {
        self.option("region", region.into())
    }

    /// `endpoint`: the URL of a DynamoDB that is not AWS's, such as `http://127.0.0.1:8000`.
    pub fn endpoint(self, url: impl Into<String>) -> DynamoDb {
        self.option("endpoint", url.into())
    }

    /// `profile`: a name out of the AWS configuration files.
    pub fn profile(self, name: impl Into<String>) -> DynamoDb {
        self.option("profile", name.into())
    }

    /// `access_key_id` and `secret_access_key`. By default credentials are found where every AWS SDK looks.
    pub fn credentials(self, access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> DynamoDb {
        self.option("access_key_id", access_key_id.into()).option("secret_access_key", secret_access_key.into())
    }

    /// `session_token`, beside [`credentials`](DynamoDb::credentials) that are temporary.
    pub fn session_token(self, token: impl Into<String>) -> DynamoDb {
        self.option("session_token", token.into())
    }

    /// `consistent_reads`: whether a read sees every write that was acknowledged before it. On by default; off costs half.
    pub fn consistent_reads(self, consistent: bool) -> DynamoDb {
        self.option("consistent_reads", consistent)
    }

    /// `timeout_ms`: how long a read or write of one item may take in all. 5 seconds by default.
    pub fn timeout(self, timeout: Duration) -> DynamoDb {
        self.time("timeout_ms", timeout)
    }

    /// `soft_wait_ms`: how long a read waits for DynamoDB where something can stand in. 250 milliseconds by default.
    pub fn soft_wait(self, wait: Duration) -> DynamoDb {
        self.time("soft_wait_ms", wait)
    }

    /// `max_connections`: requests in flight at most. 128 by default.
    pub fn max_connections(self, connections: u32) -> DynamoDb {
        self.option("max_connections", connections)
    }

    /// `keep_told`: whether what the SDK sent stands in while DynamoDB is away, and is written again when it is back. On by
    /// default; it takes as much memory as the data set. In daemon mode the SDK sends nothing, and it costs nothing.
    pub fn keep_told(self, keep: bool) -> DynamoDb {
        self.option("keep_told", keep)
    }

    /// `cache_dir`: the absolute path of a directory in which the processes of this host share what they read. It is made if
    /// it is missing, private to the user. Set [`cache_ttl`](DynamoDb::cache_ttl) too.
    pub fn cache_dir(self, path: impl Into<String>) -> DynamoDb {
        self.option("cache_dir", path.into())
    }

    /// `cache_dir_max_bytes`: how large that directory may become.
    pub fn cache_dir_max_bytes(self, bytes: u64) -> DynamoDb {
        self.option("cache_dir_max_bytes", bytes)
    }

    /// `cache_ttl_ms`: how long the store itself, and the host's directory, answer without asking. Off by default, since the
    /// SDK has a cache of its own; see [`PersistentDataStoreBuilder::cache_time`].
    pub fn cache_ttl(self, time_to_live: Duration) -> DynamoDb {
        self.time("cache_ttl_ms", time_to_live)
    }

    /// Any option by its name in the library's table. One that does not exist, or is out of its range, is an error that names
    /// it when the store is made.
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> DynamoDb {
        self.given.insert(name.into(), value.into());
        self
    }

    /// For [`ConfigBuilder::data_store`](launchdarkly_server_sdk::ConfigBuilder::data_store): the SDK opens the store when
    /// its client is built. A wrong option fails there.
    pub fn data_store(&self) -> PersistentDataStoreBuilder {
        PersistentDataStoreBuilder::new(Arc::new(self.clone()))
    }

    /// Opens a store, for use without the SDK's client. Costs no I/O: the table is first asked by the first call.
    pub fn open(&self) -> Result<DataStore, Error> {
        Ok(DataStore::new(Store::open(self.options()?)))
    }

    /// Looks at everything between this process and its flags, says what is wrong and what to do about it.
    ///
    /// Opens no store. It reads all flags and segments once, and asks for two writes that cannot succeed; nothing is written
    /// or cached. Whatever is wrong with table, network or credentials stands in the report; an error is a wrong option.
    /// Blocks, at most four times [`timeout`](DynamoDb::timeout) and twice `all_timeout_ms`: inside tokio, ask on a thread of
    /// `spawn_blocking`.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), flagstore_launchdarkly::Error> {
    /// for finding in flagstore_launchdarkly::DynamoDb::table("flags").doctor()?.findings {
    ///     println!("{:?} {}: {} {}", finding.level, finding.check, finding.found, finding.remedy.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn doctor(&self) -> Result<doctor::Report, Error> {
        doctor::examine(&self.options()?, store_abi_version())
    }

    fn options(&self) -> Result<Options, Error> {
        Options::from_json(&Value::Object(self.given.clone()).to_string())
    }

    fn time(self, name: &str, time: Duration) -> DynamoDb {
        // A time too small to be counted is still a time, and zero still none.
        self.option(name, u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

impl PersistentDataStoreFactory for DynamoDb {
    fn create_persistent_data_store(&self) -> Result<Box<dyn PersistentDataStore>, io::Error> {
        let store = self.open().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        Ok(Box::new(store))
    }
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.given.iter().map(|(name, value)| match is_secret(name, value) {
            true => (name, Value::from("…")),
            false => (name, value.clone()),
        });
        formatter.debug_map().entries(shown).finish()
    }
}

fn is_secret(name: &str, value: &Value) -> bool {
    // A URL may say who logs in.
    SECRET.contains(&name) || value.as_str().is_some_and(|text| text.contains('@'))
}
