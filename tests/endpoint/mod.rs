//! The DynamoDB endpoints that the tests run against, started once per test program and gone with it.
//!
//! * `FLAGSTORE_LOCAL`: the program `flagstore-local`.
//! * `FLAGSTORE_DYNAMODB_LOCAL`: the script that starts AWS's DynamoDB Local.
//!
//! A test program that finds a variable unset skips that endpoint and says so; `make test` sets both.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;

/// A running endpoint with the table `flags`.
pub struct Endpoint {
    pub name: &'static str,
    pub url: String,
}

/// Every endpoint that can be had.
pub fn endpoints() -> Vec<&'static Endpoint> {
    static LOCAL: OnceLock<Option<Endpoint>> = OnceLock::new();
    static AWS: OnceLock<Option<Endpoint>> = OnceLock::new();
    let local = LOCAL.get_or_init(|| start("flagstore-local", "FLAGSTORE_LOCAL"));
    let aws = AWS.get_or_init(|| start("DynamoDB Local", "FLAGSTORE_DYNAMODB_LOCAL"));
    [local, aws].into_iter().flatten().collect()
}

fn start(name: &'static str, variable: &str) -> Option<Endpoint> {
    let Some(program) = std::env::var_os(variable) else {
        eprintln!("skipped on {name}: {variable} is not set");
        return None;
    };
    // The endpoint ends when its standard input closes, which is when this process ends, however it does.
    let mut child = Command::new(program)
        .args(["--table", "flags", "--exit-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
    let mut line = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    std::mem::forget(child);
    let ready: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{name} did not start: {line}"));
    Some(Endpoint { name, url: ready["url"].as_str().expect("a URL").to_owned() })
}

impl Endpoint {
    /// Options of a store on this endpoint, under a prefix that no other test has.
    pub fn options(&self, prefix: &str) -> flagstore::model::options::Options {
        let text = serde_json::json!({
            "table": "flags", "prefix": prefix, "endpoint": self.url, "region": "us-east-1",
            "access_key_id": "local", "secret_access_key": "local", "shared": false,
        });
        flagstore::model::options::Options::from_json(&text.to_string()).expect("valid options")
    }

    /// Puts a row as another program would.
    pub fn put(&self, attributes: &[(&str, AttributeValue)]) {
        let item: HashMap<String, AttributeValue> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.run(async |client| {
            client.put_item().table_name("flags").set_item(Some(item.clone())).send().await.expect("put");
        });
    }

    /// All rows of a namespace as another program sees them.
    pub fn rows(&self, namespace: &str) -> Vec<HashMap<String, AttributeValue>> {
        let mut rows = Vec::new();
        self.run(async |client| {
            let output = client
                .query()
                .table_name("flags")
                .key_condition_expression("#n = :n")
                .expression_attribute_names("#n", "namespace")
                .expression_attribute_values(":n", AttributeValue::S(namespace.to_owned()))
                .consistent_read(true)
                .send()
                .await;
            rows = output.expect("query").items.unwrap_or_default();
        });
        rows
    }

    fn run(&self, work: impl AsyncFnOnce(Client)) {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .endpoint_url(&self.url)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work(Client::from_conf(config)));
    }
}

/// A prefix that no other test has.
pub fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A string attribute.
pub fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A number attribute.
pub fn n(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}
