//! Uncached gets as a first wrapper around `aws-sdk-dynamodb` makes them: a multi-threaded runtime, the SDK's own
//! defaults, one `block_on` per call. `plain_sdk URL THREADS`, with the protocol of `c/blocks.h`.
//!
//! `benches/run` measures it where `cargo build --release --example plain_sdk` has built it.

// A benchmark that cannot go on has nothing better to do than to stop.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::runtime::Runtime;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (url, threads) = (arguments.next().unwrap(), arguments.next().unwrap().parse().unwrap());
    let runtime = Arc::new(Runtime::new().unwrap());
    let client = client(&url);
    get(&runtime, &client);
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let share = line.unwrap().parse::<u64>().unwrap().div_ceil(threads);
        let (cpu, wall) = (cpu(), Instant::now());
        block(&runtime, &client, threads, share);
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), (self::cpu() - cpu).as_secs_f64());
        println!("{{\"calls\":{},\"wall\":{wall},\"cpu\":{cpu}}}", share * threads);
        std::io::stdout().flush().unwrap();
    }
}

fn client(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

fn block(runtime: &Arc<Runtime>, client: &Client, threads: u64, share: u64) {
    let started: Vec<_> = (0..threads)
        .map(|_| {
            let (runtime, client) = (runtime.clone(), client.clone());
            std::thread::spawn(move || (0..share).for_each(|_| get(&runtime, &client)))
        })
        .collect();
    started.into_iter().for_each(|thread| thread.join().unwrap());
}

fn get(runtime: &Runtime, client: &Client) {
    let request = client
        .get_item()
        .table_name("flags")
        .key("namespace", AttributeValue::S("features".into()))
        .key("key", AttributeValue::S("flag-000000".into()))
        .consistent_read(true);
    let row = runtime.block_on(request.send()).unwrap().item.unwrap();
    assert!(row["item"].as_s().is_ok());
}

/// User and system time of this process.
fn cpu() -> Duration {
    // SAFETY: rusage is plain data that the call fills.
    let used = unsafe {
        let mut used = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut used);
        used
    };
    let time = |part: libc::timeval| Duration::new(part.tv_sec as u64, part.tv_usec as u32 * 1000);
    time(used.ru_utime) + time(used.ru_stime)
}
