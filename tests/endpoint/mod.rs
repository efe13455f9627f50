//! The DynamoDB endpoints that the tests run against, started once per test program and gone with it.
//!
//! * `FLAGSTORE_LOCAL`: the program `flagstore-local`.
//! * `FLAGSTORE_DYNALITE`: the script that starts npm's dynalite.
//! * `FLAGSTORE_MOTO`: the script that starts PyPI's moto.
//!
//! A test program that finds a variable unset skips that endpoint and says so; `make test` sets all three.
//! `FLAGSTORE_AWS_TABLE`, which `make test-aws` sets, names a real table: the tests run on that one alone, with the
//! credentials and the region of the environment.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Error};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use flagstore::model::options::Options;

/// A running endpoint and its table.
pub struct Endpoint {
    pub name: &'static str,
    /// Empty for a real table: the environment says where DynamoDB is.
    pub url: String,
    pub table: String,
    /// Whether a write whose condition fails brings the stored row back, as it asks for. dynalite does not know
    /// `ReturnValuesOnConditionCheckFailure`: the row is read there, in a second request.
    pub returns_row_of_failed_condition: bool,
    /// Whether a condition may compare a map. In dynalite none equals any, so that a row which holds one is never as it was
    /// read.
    pub compares_maps: bool,
    /// Whether a condition may compare what is of another type than a number with one. moto answers that with status 500.
    pub compares_types: bool,
}

/// Every endpoint that can be had, or the one real table.
pub fn endpoints() -> Vec<&'static Endpoint> {
    static LOCAL: OnceLock<Option<Endpoint>> = OnceLock::new();
    static DYNALITE: OnceLock<Option<Endpoint>> = OnceLock::new();
    static MOTO: OnceLock<Option<Endpoint>> = OnceLock::new();
    if let Some(table) = real_table() {
        return vec![table];
    }
    let local = LOCAL.get_or_init(|| start("flagstore-local", "FLAGSTORE_LOCAL"));
    let dynalite = DYNALITE.get_or_init(|| {
        let started = start("dynalite", "FLAGSTORE_DYNALITE")?;
        Some(Endpoint { returns_row_of_failed_condition: false, compares_maps: false, ..started })
    });
    let moto = MOTO.get_or_init(|| Some(Endpoint { compares_types: false, ..start("moto", "FLAGSTORE_MOTO")? }));
    [local, dynalite, moto].into_iter().flatten().collect()
}

fn real_table() -> Option<&'static Endpoint> {
    static AWS: OnceLock<Option<Endpoint>> = OnceLock::new();
    AWS.get_or_init(|| {
        let table = std::env::var("FLAGSTORE_AWS_TABLE").ok().filter(|table| !table.is_empty())?;
        Some(Endpoint::faithful("AWS", String::new(), table))
    })
    .as_ref()
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
    let url = ready["url"].as_str().expect("a URL").to_owned();
    Some(Endpoint::faithful(name, url, "flags".into()))
}

impl Endpoint {
    /// One that does as DynamoDB does.
    fn faithful(name: &'static str, url: String, table: String) -> Endpoint {
        let (returns_row_of_failed_condition, compares_maps, compares_types) = (true, true, true);
        Endpoint { name, url, table, returns_row_of_failed_condition, compares_maps, compares_types }
    }

    /// One that runs already and needs no more than its URL.
    pub fn at(url: &str) -> Endpoint {
        Endpoint::faithful("an endpoint", url.to_owned(), "flags".into())
    }

    /// Options of a store on this endpoint, under a prefix that no other test has.
    pub fn options(&self, prefix: &str) -> Options {
        let mut options = serde_json::json!({"table": self.table, "prefix": prefix, "shared": false});
        if self.is_local() {
            options["endpoint"] = self.url.as_str().into();
            options["region"] = "us-east-1".into();
            options["access_key_id"] = "local".into();
            options["secret_access_key"] = "local".into();
        }
        Options::from_json(&options.to_string()).expect("valid options")
    }

    /// Puts a row as another program would.
    pub fn put(&self, attributes: &[(&str, AttributeValue)]) {
        let item: HashMap<String, AttributeValue> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.run(async |client| {
            client.put_item().table_name(&self.table).set_item(Some(item.clone())).send().await.expect("put");
        });
    }

    /// Puts a row on the condition of the SDKs' own integrations. Whether it held.
    pub fn put_if_newer(&self, namespace: &str, key: &str, version: &str, item: &str) -> bool {
        let mut written = false;
        self.run(async |client| {
            let put = client
                .put_item()
                .table_name(&self.table)
                .item("namespace", s(namespace))
                .item("key", s(key))
                .item("version", n(version))
                .item("item", s(item))
                .condition_expression("attribute_not_exists(#n) or attribute_not_exists(#k) or :version > #v")
                .expression_attribute_names("#n", "namespace")
                .expression_attribute_names("#k", "key")
                .expression_attribute_names("#v", "version")
                .expression_attribute_values(":version", n(version));
            written = match put.send().await.map_err(Error::from) {
                Ok(_) => true,
                Err(Error::ConditionalCheckFailedException(_)) => false,
                Err(error) => panic!("{error:?}"),
            };
        });
        written
    }

    /// All rows of a namespace as another program sees them.
    pub fn rows(&self, namespace: &str) -> Vec<HashMap<String, AttributeValue>> {
        let mut rows = Vec::new();
        self.run(async |client| rows = self.query(&client, namespace).await.expect("query"));
        rows
    }

    /// Removes what a test leaves under its prefix, when the answer is dropped: a real table is its owner's.
    pub fn removes_rows_of<'a>(&'a self, prefix: &'a str) -> RowsOf<'a> {
        RowsOf { endpoint: self, prefix }
    }

    fn is_local(&self) -> bool {
        !self.url.is_empty()
    }

    async fn query(&self, client: &Client, namespace: &str) -> Result<Vec<HashMap<String, AttributeValue>>, Error> {
        let pages = client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#n = :n")
            .expression_attribute_names("#n", "namespace")
            .expression_attribute_values(":n", AttributeValue::S(namespace.to_owned()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        Ok(pages.collect::<Result<_, _>>().await?)
    }

    fn run(&self, work: impl AsyncFnOnce(Client)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = if self.is_local() { self.local_client() } else { real_client().await };
            work(client).await;
        });
    }

    fn local_client(&self) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .endpoint_url(&self.url)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .build();
        Client::from_conf(config)
    }
}

/// As the environment has it: this is another program than the library, and looks for settings as the SDK does.
async fn real_client() -> Client {
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .load()
        .await;
    Client::new(&settings)
}

/// The rows that a test writes, removed at its end, also of one that fails.
pub struct RowsOf<'a> {
    endpoint: &'a Endpoint,
    prefix: &'a str,
}

/// The namespaces that the tests write to; a real table is too large to be scanned for others.
const NAMESPACES: [&str; 6] =
    ["features", "segments", "things", "$inited", "big_segments_metadata", "big_segments_user"];

impl Drop for RowsOf<'_> {
    fn drop(&mut self) {
        self.endpoint.run(async |client| {
            let left = self.remove(&client).await;
            // A second panic would hide the one that ends the test.
            if std::thread::panicking() {
                eprintln!("what is left under {} after a failure: {left:?}", self.prefix);
            } else {
                let left = left.expect("rows removed");
                assert!(left.is_empty(), "add to NAMESPACES what a test left in a table of yours: {left:?}");
            }
        });
    }
}

impl RowsOf<'_> {
    /// Gives the namespaces that are not empty afterwards, which can be told of a local table alone.
    async fn remove(&self, client: &Client) -> Result<Vec<AttributeValue>, Error> {
        let Self { endpoint, prefix } = *self;
        for namespace in NAMESPACES.map(|name| format!("{prefix}:{name}")) {
            for mut row in endpoint.query(client, &namespace).await? {
                let key = ["namespace", "key"].map(|name| (name.to_owned(), row.remove(name).expect("a key")));
                client.delete_item().table_name(&endpoint.table).set_key(Some(key.into())).send().await?;
            }
        }
        if endpoint.is_local() { endpoint.left_under(client, prefix).await } else { Ok(Vec::new()) }
    }
}

impl Endpoint {
    async fn left_under(&self, client: &Client, prefix: &str) -> Result<Vec<AttributeValue>, Error> {
        let pages = client
            .scan()
            .table_name(&self.table)
            .filter_expression("begins_with(#n, :p)")
            .expression_attribute_names("#n", "namespace")
            .expression_attribute_values(":p", AttributeValue::S(format!("{prefix}:")))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let rows: Vec<HashMap<_, _>> = pages.collect::<Result<_, _>>().await?;
        Ok(rows.into_iter().filter_map(|mut row| row.remove("namespace")).collect())
    }
}

/// A prefix that no other test has, on no machine and in no run.
pub fn prefix() -> String {
    static RUN: OnceLock<u128> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let run = RUN
        .get_or_init(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos()));
    format!("flagstore-test-{run:x}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A string attribute.
pub fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A number attribute.
pub fn n(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}
