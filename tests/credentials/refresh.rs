//! When credentials are loaded anew, seen from outside: what is valid is used whatever becomes of its source.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use flagstore::model::options::Options;
use flagstore::store::Store;
use serde_json::json;

use super::aws;
use super::host::PLANTED;
use super::stub::{Request, Response, Stub};

/// The longest that a test goes on calling.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store on a stub that is DynamoDB and one source of credentials, with no other setting of this machine.
fn store(stub: &Stub, variables: &[(&str, &str)]) -> Arc<Store> {
    let url = stub.url();
    let mut options = Options::for_table("flags");
    let usual = [("AWS_ENDPOINT_URL_DYNAMODB", url.as_str()), ("AWS_REGION", "eu-west-1"), ("HOME", "/no/such/home")];
    let variables = usual.iter().chain(variables);
    options.environment = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Store::open(options)
}

/// A store whose source is a container's agent.
fn in_container(stub: &Stub) -> Arc<Store> {
    store(stub, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container/credentials", stub.url()))])
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs_f64()
}

/// Credentials that end then, numbered.
fn ending(number: u32, end: f64) -> Response {
    let expiration = aws_time(end);
    let name = format!("ASIA{number}");
    aws::json(
        200,
        &json!({"Code": "Success", "AccessKeyId": name, "SecretAccessKey": PLANTED, "Token": PLANTED, "Expiration": expiration}),
    )
}

fn aws_time(end: f64) -> String {
    let time = aws_smithy_types::DateTime::from_secs_f64(end);
    time.fmt(aws_smithy_types::date_time::Format::DateTime).expect("a time")
}

fn asks_for_credentials(request: &Request) -> bool {
    !aws::is_dynamo(request) && !request.target.ends_with("/latest/api/token")
}

/// The key ids that DynamoDB saw, each once, in order.
fn key_ids(stub: &Stub) -> Vec<String> {
    let mut ids: Vec<_> = aws::of_dynamo(stub).iter().map(|ask| ask.key_id().unwrap_or_default().to_owned()).collect();
    ids.dedup();
    ids
}

/// Calls again and again, at least until this time, and until the condition holds. No call fails or is slow.
fn call_until(store: &Arc<Store>, end: f64, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while now() < end || !done() {
        assert!(begun.elapsed() < PATIENCE, "it did not come");
        let asked = Instant::now();
        if let Err(error) = store.get("features", "flag") {
            panic!("{:.1} s before the end: {error}", end - now());
        }
        assert!(asked.elapsed() < Duration::from_secs(3), "a call was in the way of a load");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_source_that_is_away_for_the_last_quarter_costs_no_call() {
    let (loads, end) = (AtomicU32::new(0), now().ceil() + 5.0);
    let stub = aws::start_with(move |request| {
        asks_for_credentials(request).then(|| match loads.fetch_add(1, Ordering::Relaxed) {
            0 => ending(0, end),
            _ if now() < end => Response::new(500, "text/plain", ""),
            number => ending(number, now() + 3600.0),
        })
    });
    let store = in_container(&stub);
    call_until(&store, end + 0.5, || key_ids(&stub).len() == 2);
    let loads = stub.requests().iter().filter(|request| asks_for_credentials(request)).count();
    assert!((3..30).contains(&loads), "{loads} requests to the source");
}

#[test]
fn a_source_that_hangs_until_the_end_costs_no_call() {
    let (loads, end) = (AtomicU32::new(0), now().ceil() + 4.0);
    let stub = aws::start_with(move |request| {
        asks_for_credentials(request).then(|| match loads.fetch_add(1, Ordering::Relaxed) {
            0 => ending(0, end),
            number => {
                while now() < end {
                    std::thread::sleep(Duration::from_millis(10));
                }
                ending(number, now() + 3600.0)
            }
        })
    });
    let store = in_container(&stub);
    call_until(&store, end, || key_ids(&stub).len() == 2);
}

#[test]
fn the_next_credentials_are_there_before_the_end_of_the_last() {
    let (loads, end) = (AtomicU32::new(0), now().ceil() + 4.0);
    let stub = aws::start_with(move |request| {
        asks_for_credentials(request).then(|| {
            let number = loads.fetch_add(1, Ordering::Relaxed);
            if number > 0 {
                std::thread::sleep(Duration::from_millis(300));
            }
            ending(number, if number == 0 { end } else { end + 3600.0 })
        })
    });
    let store = in_container(&stub);
    call_until(&store, 0.0, || key_ids(&stub).len() == 2);
    assert!(now() < end, "they came late");
}

#[test]
fn the_metadata_service_s_credentials_are_used_beyond_their_end_while_it_is_away() {
    type Away = fn() -> Response;
    let ways: [(&str, Away); 2] =
        [("it fails", || Response::new(500, "text/plain", "")), ("it gives the same out", || ending(0, now() - 1.0))];
    for (name, away) in ways {
        eprintln!("{name}");
        let (loads, end) = (AtomicU32::new(0), now().ceil() + 2.0);
        let stub = aws::start_with(move |request| {
            request.target.ends_with("/security-credentials/flags").then(|| {
                let first = loads.fetch_add(1, Ordering::Relaxed) == 0;
                if first { ending(0, end) } else { away() }
            })
        });
        let store = store(&stub, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &stub.url())]);
        call_until(&store, end + 1.5, || true);
        assert_eq!(key_ids(&stub), ["ASIA0"], "{name}");
    }
}

#[test]
fn a_source_that_is_away_is_not_asked_by_every_call_and_found_when_it_is_back() {
    let back = Arc::new(AtomicU64::new(u64::MAX));
    let away = Arc::clone(&back);
    let stub = aws::start_with(move |request| {
        let is_back = Duration::from_secs_f64(now()).as_millis() as u64 >= away.load(Ordering::Relaxed);
        (asks_for_credentials(request) && !is_back).then(|| Response::new(503, "text/plain", ""))
    });
    let store = in_container(&stub);
    let begun = Instant::now();
    let mut calls = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        calls += 1;
        let error = store.get("features", "flag").expect_err("there are no credentials");
        assert!(error.code.retriable(), "{error}");
    }
    let loads = stub.requests().len();
    assert!(loads < 40, "{calls} calls made {loads} requests to the source");
    back.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    while store.get("features", "flag").is_err() {
        assert!(begun.elapsed() < PATIENCE, "it is back and was not found");
    }
}

#[test]
fn a_program_that_hands_out_the_same_until_its_end_runs_a_few_times() {
    let stub = aws::start();
    let host = super::host::Host::new();
    let end = now().ceil() + 4.0;
    let script = format!(
        "echo run >> \"$0.runs\"\nprintf '{{\"Version\":1,\"AccessKeyId\":\"ASIA0\",\"SecretAccessKey\":\"PLANTED\",\"Expiration\":\"{}\"}}'",
        aws_time(end)
    );
    let program = host.program("program", &script);
    let config = host.file("config", format!("[default]\ncredential_process = {program}\n"));
    let store = store(&stub, &[("AWS_CONFIG_FILE", &config.display().to_string())]);
    call_until(&store, end, || true);
    let runs = std::fs::read_to_string(format!("{program}.runs")).expect("it ran").lines().count();
    assert!((2..8).contains(&runs), "it ran {runs} times for {} calls", aws::of_dynamo(&stub).len());
}
