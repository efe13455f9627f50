//! A process with an environment of its own, and what answers it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_types::base64;
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

use crate::stub::{self, Request, Response, Stub};

/// What no output may hold: the secrets of the environment, of files, and of payloads.
const PLANTED: &str = "PLANTED";

/// A set-up, broken in one way.
pub struct Setup {
    pub name: &'static str,
    home: PathBuf,
    environment: BTreeMap<&'static str, String>,
    arguments: Vec<String>,
}

/// What the program did.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Setup {
    /// One with keys and a region, and no endpoint that would be reached.
    pub fn nowhere(name: &'static str) -> Setup {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = format!("flagstore-doctor-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let home = std::env::temp_dir().join(folder);
        fs::create_dir(&home).expect("a folder");
        let environment = BTreeMap::from([
            ("HOME", home.to_str().expect("text").to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "PLANTED-secret".to_owned()),
            ("AWS_SESSION_TOKEN", "PLANTED-session".to_owned()),
        ]);
        let arguments = ["--table", "flags", "--prefix", "p"].map(ToOwned::to_owned).into();
        Setup { name, home, environment, arguments }
    }

    /// One whose endpoint is a stub.
    pub fn on(name: &'static str, stub: &Stub) -> Setup {
        Setup::nowhere(name).arguments(&["--endpoint", &stub.url()])
    }

    /// With more arguments.
    pub fn arguments(mut self, arguments: &[&str]) -> Setup {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// With another variable.
    pub fn env(mut self, name: &'static str, value: &str) -> Setup {
        self.environment.insert(name, value.to_owned());
        self
    }

    /// Without one of the variables.
    pub fn without(mut self, name: &'static str) -> Setup {
        self.environment.remove(name);
        self
    }

    /// With a file below its home.
    pub fn file(self, path: &str, text: &str) -> Setup {
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
        self
    }

    /// Where a file below its home is.
    pub fn path(&self, name: &str) -> String {
        self.home.join(name).to_str().expect("text").to_owned()
    }

    /// A folder below its home.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.home.join(name);
        fs::create_dir(&path).expect("a folder");
        path
    }

    /// Runs the program. Whatever it does, it shows no secret.
    pub fn run(&self, command: &[&str]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_flagstore"))
            .args(command)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .output()
            .expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let run = Run {
            status: output.status.code().expect("it ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!run.stdout.contains(PLANTED) && !run.stderr.contains(PLANTED), "{}: {run:?}", self.name);
        assert!(!format!("{run:?}").contains("AKIAIOSFODNN7"), "{}: {run:?}", self.name);
        run
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// The operation that a request asks for, and its body.
pub fn operation(request: &Request) -> Option<(String, Value)> {
    let operation = request.header("x-amz-target")?.strip_prefix("DynamoDB_20120810.")?.to_owned();
    Some((operation, serde_json::from_str(&request.body).expect("JSON")))
}

/// A table that is well: initialised, with one flag, and writes meet their conditions.
pub fn ok(request: &Request) -> Response {
    let Some((operation, body)) = operation(request) else { return error(404, "UnknownOperation", "") };
    match &*operation {
        "GetItem" if body.to_string().contains("$inited") => answer(&json!({"Item": body["Key"]})),
        "GetItem" => answer(&json!({})),
        "Query" => answer(&json!({"Items": [row("flag", "1", "{\"PLANTED\":1}")]})),
        _ => error(400, "ConditionalCheckFailedException", "The conditional request failed"),
    }
}

/// An answer of DynamoDB's.
pub fn answer(body: &Value) -> Response {
    Response::new(200, "application/x-amz-json-1.0", body.to_string())
}

/// A refusal of DynamoDB's.
pub fn error(status: u16, name: &str, message: &str) -> Response {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": message});
    Response::new(status, "application/x-amz-json-1.0", body.to_string())
}

/// A row as DynamoDB spells it.
pub fn row(key: &str, version: &str, item: &str) -> Value {
    json!({"key": {"S": key}, "version": {"N": version}, "item": {"S": item}})
}

/// A deflated form that would take more memory than any item may.
pub fn bomb() -> String {
    base64::encode(compress_to_vec_zlib(&vec![b'x'; (16 << 20) + 1], 6))
}

/// A server whose certificate nobody vouches for.
pub fn untrusted() -> Arc<rustls::ServerConfig> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).expect("a name");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    stub::tls(&certificate, &key)
}
