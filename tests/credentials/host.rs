//! A host of the library: a process of its own, with an environment and a home folder that hold what the case says
//! and nothing of the machine that the tests run on.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use flagstore::model::Code;
use flagstore::model::options::Options;
use flagstore::model::row::Item;
use flagstore::store::Store;
use serde_json::{Value, json};

use super::environment;
use super::stub::Stub;

/// Names the file with what the process shall do; without it the process is not a host.
const ORDERS: &str = "FLAGSTORE_TEST_HOST";
/// The longest that a host may live.
const PATIENCE: Duration = Duration::from_secs(60);
/// In every secret, so that one look finds any of them.
pub const PLANTED: &str = "PLANTED";

/// A host before it runs.
pub struct Host {
    home: PathBuf,
    environment: Vec<(String, OsString)>,
    options: Value,
    calls: Vec<&'static str>,
    ignores_sigchld: bool,
}

/// What a host saw.
#[derive(Debug)]
pub struct Outcome {
    pub calls: Vec<Call>,
    deadline: Duration,
}

/// How one call of a host ended.
#[derive(Debug)]
pub struct Call {
    /// `None` if it went well.
    pub code: Option<Code>,
    pub message: String,
    pub took: Duration,
}

impl Host {
    /// A host with an empty home and no AWS settings, except that it is on no EC2 instance.
    pub fn new() -> Host {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("host-{}-{number}", std::process::id()));
        fs::create_dir_all(&home).expect("a folder");
        let host = Host {
            home,
            environment: Vec::new(),
            options: json!({"table": "flags", "prefix": "p", "log_level": "debug"}),
            calls: vec!["get"],
            ignores_sigchld: false,
        };
        // Which authorities the machine trusts, and that it has any, must not decide a test.
        let trusted = host.file("trusted.pem", nobody());
        host.env("SSL_CERT_FILE", trusted).env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Host {
        self.environment.retain(|(given, _)| given != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Lets the AWS SDK find DynamoDB and nothing else at a stub, in a region.
    pub fn on(self, dynamo: &Stub) -> Host {
        self.env("AWS_ENDPOINT_URL_DYNAMODB", dynamo.url()).env("AWS_REGION", "eu-west-1")
    }

    /// Puts it on an EC2 instance with this metadata service.
    pub fn on_instance(mut self, metadata: &str) -> Host {
        self.environment.retain(|(name, _)| name != "AWS_EC2_METADATA_DISABLED");
        self.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata)
    }

    /// Sets an option of the store.
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Host {
        self.options[name] = value.into();
        self
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// Writes a shell script that may be run, and returns its path.
    pub fn program(&self, name: &str, script: &str) -> String {
        let program = self.file(name, format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("permissions");
        program.display().to_string()
    }

    /// Writes `~/.aws/config`.
    pub fn config(self, text: &str) -> Host {
        self.file(".aws/config", text);
        self
    }

    /// Writes `~/.aws/credentials`.
    pub fn credentials(self, text: &str) -> Host {
        self.file(".aws/credentials", text);
        self
    }

    /// Its home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Makes these calls, each `get` or `upsert`, one after the other on one store. At `sign in` the folder `later`
    /// takes the place of `~/.aws`; at `wait` more time passes than credentials are used for that have ended before they
    /// came.
    pub fn calls(mut self, calls: &[&'static str]) -> Host {
        self.calls = calls.to_vec();
        self
    }

    /// Ignores SIGCHLD, as some hosts do to be rid of their children.
    pub fn ignoring_sigchld(mut self) -> Host {
        self.ignores_sigchld = true;
        self
    }

    /// Runs it to its end. Whatever the case, it printed nothing, and no secret is in what it was told.
    pub fn run(self) -> Outcome {
        let orders = json!({"options": self.options, "calls": self.calls, "ignores_sigchld": self.ignores_sigchld});
        let output = self.process("host::a_host", &orders);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && printed.is_empty(), "the host ended with {} and:\n{printed}", output.status);
        assert!(!String::from_utf8_lossy(&output.stdout).contains(PLANTED), "printed a secret");
        let told = fs::read_to_string(self.home.join("outcome.json")).expect("an outcome");
        for secret in [PLANTED, "AKIA", "ASIA"] {
            assert!(!told.contains(secret), "the host was told a secret: {told}");
        }
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let deadline = Duration::from_millis(self.options["timeout_ms"].as_u64().unwrap_or(5_000));
        Outcome { calls: told.as_array().expect("a list").iter().map(call).collect(), deadline }
    }
}

impl Host {
    /// Plays a scene in place of the calls: a test that is ignored, since it only makes sense in a process of its own,
    /// which finds its options with [`on_stage`].
    pub fn play(self, scene: &str) {
        let output = self.process(scene, &json!({"options": self.options}));
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the host ended with {} and:\n{printed}", output.status);
        assert!(!printed.contains(PLANTED), "printed a secret: {printed}");
    }

    fn process(&self, test: &str, orders: &Value) -> Output {
        let orders = self.file("orders.json", orders.to_string());
        Command::new(env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", &format!("credentials::{test}"), "--nocapture", "--quiet"])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env(ORDERS, orders)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .expect("the host runs")
    }
}

/// The options of the scene's host, in its process; `None` elsewhere.
pub fn on_stage() -> Option<Value> {
    let orders = PathBuf::from(env::var_os(ORDERS)?);
    std::thread::spawn(|| {
        std::thread::park_timeout(PATIENCE);
        std::process::exit(70);
    });
    let told: Value = serde_json::from_slice(&fs::read(orders).expect("orders")).expect("JSON");
    Some(told["options"].clone())
}

impl Drop for Host {
    fn drop(&mut self) {
        // What a failed test leaves behind helps to understand it.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.home);
        }
    }
}

impl Outcome {
    /// Every call went well.
    pub fn expect_success(&self) {
        for call in &self.calls {
            assert_eq!(call.code, None, "{}", call.message);
        }
    }

    /// Every call failed with this code and in its own time, and the message has these words.
    pub fn expect_failure(&self, code: Code, words: &[&str]) {
        for call in &self.calls {
            assert_eq!(call.code, Some(code), "{}", call.message);
            for words in words {
                assert!(call.message.contains(words), "\"{words}\" is not in: {}", call.message);
            }
            // Its own deadline, and what a busy machine takes.
            assert!(call.took < self.deadline + Duration::from_secs(2), "took {:?}: {}", call.took, call.message);
        }
    }
}

fn call(told: &Value) -> Call {
    let code = told["code"].as_i64().map(|number| {
        let known = Code::ALL.into_iter().find(|code| i64::from(code.number()) == number);
        known.expect("a code of the library")
    });
    Call {
        code,
        message: told["message"].as_str().expect("a text").into(),
        took: Duration::from_millis(told["ms"].as_u64().expect("a number")),
    }
}

/// An authority that signed nothing.
fn nobody() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| super::tls::Authority::new().pem())
}

/// The host itself, run by the tests as a process of its own.
#[test]
#[ignore = "runs in the processes that the other tests start"]
fn a_host() {
    let Some(orders) = env::var_os(ORDERS) else { return };
    std::thread::spawn(|| {
        std::thread::park_timeout(PATIENCE);
        std::process::exit(70);
    });
    let orders = PathBuf::from(orders);
    let told: Value = serde_json::from_slice(&fs::read(&orders).expect("orders")).expect("JSON");
    if told["ignores_sigchld"] == true {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }
    let store = Store::open(Options::from_json(&told["options"].to_string()).expect("options"));
    environment::watch();
    let item = Item { key: "flag".into(), version: 1, deleted: false, item: Some(format!("{{\"x\":\"{PLANTED}\"}}")) };
    let mut outcome: Vec<Value> = Vec::new();
    for call in told["calls"].as_array().expect("a list") {
        let started = Instant::now();
        let ended = match call.as_str() {
            Some("upsert") => store.upsert("features", &item).map(|_| ()),
            Some("sign in") => {
                let _ = fs::remove_dir_all(orders.with_file_name(".aws"));
                fs::rename(orders.with_file_name("later"), orders.with_file_name(".aws")).expect("a folder");
                continue;
            }
            Some("wait") => {
                std::thread::sleep(Duration::from_millis(1_100));
                continue;
            }
            _ => store.get("features", "flag").map(|_| ()),
        };
        let mut message = ended.as_ref().map_or_else(|error| error.message.clone(), |()| String::new());
        while let Some(event) = store.next_event() {
            message += &format!(" [{}]", event.message);
        }
        let code = ended.err().map(|error| error.code.number());
        outcome.push(json!({"code": code, "message": message, "ms": started.elapsed().as_millis()}));
    }
    environment::expect_nobody_asked();
    fs::write(orders.with_file_name("outcome.json"), Value::from(outcome).to_string()).expect("a file");
}
