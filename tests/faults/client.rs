//! Drives `tests/faults/endpoint` from Rust tests, and gives them their seeds.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flagstore::model::options::Options;
use serde_json::{Value, json};

/// A fault-injecting endpoint; it ends with this value.
pub struct Faults {
    pub url: String,
    control: String,
    process: Child,
}

/// One request as the endpoint saw it. Of two moments the later one is the larger number.
#[derive(Debug, Clone)]
pub struct Request {
    pub operation: String,
    pub namespace: String,
    pub key: String,
    /// What was done, such as `reset at response`; `pass` where nothing was.
    pub action: String,
    pub arrived: u64,
    /// When it was sent to the endpoint behind, if it was.
    pub forwarded: Option<u64>,
    /// When the endpoint behind had answered with success, if it had.
    pub applied: Option<u64>,
}

impl Faults {
    /// Starts the endpoint in front of another one; without one, it answers for an empty table.
    pub fn start(upstream: Option<&str>, seed: &Seed) -> Faults {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/endpoint");
        let mut command = Command::new(program);
        command.args(["--exit-with-stdin", "--seed", &seed.number.to_string()]);
        if let Some(upstream) = upstream {
            command.args(["--upstream", upstream]);
        }
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
                panic!("tests/faults/endpoint cannot be started, it needs Python 3.9: {error}")
            });
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the endpoint did not start: {line:?}"));
        let url = |name: &str| ready[name].as_str().expect("a URL").to_owned();
        Faults { url: url("url"), control: url("control"), process }
    }

    /// Replaces the rules; whoever is held goes on.
    pub fn script(&self, rules: Value) {
        self.ask("/script", &json!({ "rules": rules }));
    }

    /// Lets go whoever is held.
    pub fn release(&self) {
        self.ask("/release", &json!({}));
    }

    /// Every connection that is open now is dead from here on, and nobody is told.
    pub fn silence(&self) {
        self.ask("/silence", &json!({}));
    }

    /// How many connections are open.
    pub fn connections(&self) -> u64 {
        self.ask("/counts", &json!({}))["connections"].as_u64().expect("a number")
    }

    /// Waits for requests with certain members, or for `connections` to be few. See the README for the members.
    pub fn wait(&self, wanted: &Value) {
        self.ask("/wait", wanted);
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        let log = self.ask("/log", &json!({}));
        log["requests"].as_array().expect("requests").iter().map(Request::from_json).collect()
    }

    /// How often each action was taken on the operations given; the proof that faults were injected at all.
    pub fn actions(&self, operations: &[&str]) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in self.requests().into_iter().filter(|request| operations.contains(&&*request.operation)) {
            *counts.entry(request.action).or_default() += 1;
        }
        counts
    }

    /// The options of a store, with this endpoint in between.
    pub fn in_front_of(&self, options: Options) -> Options {
        Options { endpoint: Some(self.url.clone()), ..options }
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let address = self.control.strip_prefix("http://").expect("a URL");
        let mut connection = TcpStream::connect(address).expect("the control side answers");
        connection.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout");
        write!(
            connection,
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let value: Value = serde_json::from_str(body).expect("JSON");
        assert!(head.starts_with("HTTP/1.1 200"), "{path} {body}");
        assert_eq!(value["mishaps"].as_array().map(Vec::len), Some(0), "the endpoint itself failed: {body}");
        value
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // The end of its standard input is the end of the endpoint.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Request {
    fn from_json(record: &Value) -> Request {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        Request {
            operation: text("operation"),
            namespace: text("namespace"),
            key: text("key"),
            action: text("action"),
            arrived: record["arrived"].as_u64().expect("a moment"),
            forwarded: record["forwarded"].as_u64(),
            applied: record["applied"].as_u64().filter(|_| record["status"] == 200),
        }
    }
}

/// A seed that is printed if the test that uses it fails.
pub struct Seed {
    pub number: u64,
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat this with FLAGSTORE_SEED={}", self.number);
        }
    }
}

/// So many seeds, other ones in each run; with `FLAGSTORE_SEED`, that one alone.
pub fn seeds(count: u64) -> impl Iterator<Item = Seed> {
    let (first, count) = match std::env::var("FLAGSTORE_SEED") {
        Ok(given) => (given.parse().expect("FLAGSTORE_SEED is a number"), 1),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
            (now.as_secs() % 1_000_000 * 1_000 + u64::from(now.subsec_millis()), count)
        }
    };
    (first..first + count).map(|number| Seed { number })
}

/// One seed.
pub fn seed() -> Seed {
    seeds(1).next().expect("at least one")
}

/// One number for `make test`, and a larger one for the long form, which `FLAGSTORE_LONG=1` asks for.
pub fn short_or_long(short: usize, long: usize) -> usize {
    if std::env::var("FLAGSTORE_LONG").is_ok_and(|asked| asked == "1") { long } else { short }
}
