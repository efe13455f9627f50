//! `flagstore-local`, started once for a test program and gone with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use flagstore_launchdarkly::DynamoDb;
use launchdarkly_server_sdk::{AllData, SerializedItem};

const TABLE: &str = "flags";

/// An endpoint of one's own, which can be stopped.
pub struct Endpoint {
    pub url: String,
    process: Mutex<Child>,
}

impl Endpoint {
    /// Started by the program that the environment variable FLAGSTORE_LOCAL names; `make local` builds it.
    pub fn start() -> Endpoint {
        let program = std::env::var_os("FLAGSTORE_LOCAL").expect("FLAGSTORE_LOCAL names the program flagstore-local");
        // It ends when its standard input closes, which is when this process ends, however it does.
        let mut process = Command::new(program)
            .args(["--table", TABLE, "--exit-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("flagstore-local starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        Endpoint { url: said["url"].as_str().expect("a URL").to_owned(), process: Mutex::new(process) }
    }

    /// From now on every connection is refused.
    pub fn stop(&self) {
        let mut process = self.process.lock().expect("no test died");
        process.kill().expect("it runs");
        process.wait().expect("it ends");
    }

    /// Its table, under a prefix.
    pub fn table(&self, prefix: &str) -> DynamoDb {
        DynamoDb::table(TABLE).prefix(prefix).endpoint(&self.url).region("us-east-1").credentials("local", "local")
    }
}

/// The table of the endpoint that all tests of a program share, under a prefix that no other test has.
pub fn table() -> DynamoDb {
    static SHARED: OnceLock<Endpoint> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("test-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    SHARED.get_or_init(Endpoint::start).table(&prefix)
}

/// A flag that is on and has its version as its only variation.
pub fn flag(key: &str, version: u64) -> (String, SerializedItem) {
    let serialized_item = serde_json::json!({
        "key": key, "version": version, "on": true, "variations": [version], "fallthrough": {"variation": 0}, "offVariation": 0,
        "targets": [], "rules": [], "prerequisites": [], "salt": "s", "trackEvents": false
    });
    (key.to_owned(), SerializedItem { version, deleted: false, serialized_item: serialized_item.to_string() })
}

/// A deletion, as the SDK hands it over.
pub fn tombstone(version: u64) -> SerializedItem {
    let serialized_item = serde_json::json!({"version": version, "key": "$deleted", "deleted": true}).to_string();
    SerializedItem { version, deleted: true, serialized_item }
}

/// A data set of flags.
pub fn flags(flags: impl IntoIterator<Item = (String, SerializedItem)>) -> AllData<SerializedItem, SerializedItem> {
    AllData { flags: flags.into_iter().collect(), segments: Default::default() }
}
