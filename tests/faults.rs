//! What calls tell when the table, the network or the server fails: every one ends in time, and its error says what was
//! attempted, what happened, whether trying again can help and what to do. The faults come from
//! `tests/faults/endpoint`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[allow(dead_code, reason = "not every test program uses all of it")]
#[path = "faults/client.rs"]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use client::{Faults, seed};
use endpoint::{endpoints, n, s};
use flagstore::model::options::{Credentials, LogLevel, Options};
use flagstore::model::row::Item;
use flagstore::model::{Code, Error, data_set};
use flagstore::store::Store;
use serde_json::{Value, json};

/// What must appear in no error and no event.
const PLANTED: [&str; 4] = ["PLANTED-KEY-ID", "PLANTED-SECRET", "PLANTED-TOKEN", "PLANTED-PAYLOAD"];
/// The deadline of every call below.
const DEADLINE: Duration = Duration::from_millis(600);
/// How much later a call may end.
const GRACE: Duration = Duration::from_millis(100);

type Call = (&'static str, &'static [&'static str], fn(&Arc<Store>) -> Option<Error>);

/// Each call with what its error has to name.
const CALLS: [Call; 6] = [
    ("get", &["GetItem", "\"flag\"", "features"], |store| store.get("features", "flag").err()),
    ("all", &["Query", "features"], |store| store.all("features").err()),
    ("upsert", &["PutItem", "\"flag\"", "features"], |store| store.upsert("features", &secret_item()).err()),
    ("init", &["initialising", "Query", "features"], |store| {
        store.init(data_set::from_items(vec![("features".into(), vec![secret_item()])]).expect("data")).err()
    }),
    ("initialized", &["initialised", "GetItem", "$inited"], |store| store.initialized().err()),
    ("available", &["GetItem", "$inited"], |store| store.available().err()),
];

fn secret_item() -> Item {
    let text = r#"{"version":9,"salt":"PLANTED-PAYLOAD"}"#;
    Item { key: "flag".into(), version: 9, deleted: false, item: Some(text.into()) }
}

/// Every call meets the fault, ends in time, and says what happened: one of the codes, that trying again can help, and
/// what was attempted on which table.
fn every_call_meets(fault: &Value, codes: &[Code]) {
    for endpoint in endpoints() {
        let seed = seed();
        let faults = Faults::start(Some(&endpoint.url), &seed);
        let prefix = format!("fault-{}", seed.number);
        let namespace = format!("{prefix}:features");
        let row =
            [("namespace", s(&namespace)), ("key", s("flag")), ("version", n("1")), ("item", s("PLANTED-PAYLOAD"))];
        endpoint.put(&row);
        faults.script(json!([{"do": fault}]));
        let options = Options {
            timeout: DEADLINE,
            all_timeout: DEADLINE,
            init_timeout: DEADLINE,
            attempt_timeout: Duration::from_millis(250),
            ..secret_options(faults.in_front_of(endpoint.options(&prefix)))
        };
        thread::scope(|scope| {
            for call in &CALLS {
                let options = &options;
                scope.spawn(move || one_call_meets(fault, codes, call, options));
            }
        });
        let untouched = faults.actions(&["GetItem", "Query", "PutItem", "DeleteItem"]);
        assert!(untouched.len() == 1 && !untouched.contains_key("pass"), "not every request failed: {untouched:?}");
    }
}

fn secret_options(options: Options) -> Options {
    let credentials = Credentials {
        access_key_id: PLANTED[0].into(),
        secret_access_key: PLANTED[1].into(),
        session_token: Some(PLANTED[2].into()),
    };
    Options { credentials: Some(credentials), log_level: LogLevel::Debug, ..options }
}

fn one_call_meets(fault: &Value, codes: &[Code], (name, named, call): &Call, options: &Options) {
    // The machine may take the time away that the call did not: three measurements, and the best one counts.
    let mut late = Vec::new();
    for _ in 0..3 {
        let store = Store::open(options.clone());
        let started = Instant::now();
        let outcome = call(&store);
        let elapsed = started.elapsed();
        let error = outcome.unwrap_or_else(|| panic!("{name} went well with {fault}"));
        assert_nothing_leaks(&store, &error);
        if error.message.contains("starved of CPU") {
            late.push(elapsed);
            continue;
        }
        assert!(codes.contains(&error.code), "{name} with {fault} is a {:?}: {error}", error.code);
        assert!(error.code.retriable(), "{name} with {fault}: {error}");
        for words in named.iter().chain(&["table \"flags\""]) {
            assert!(error.message.contains(words), "{name} with {fault} does not name {words}: {error}");
        }
        assert!(
            ["check", "raise", "try again later"].iter().any(|remedy| error.message.contains(remedy)),
            "{name}: no remedy in: {error}"
        );
        if elapsed <= DEADLINE + GRACE {
            return;
        }
        late.push(elapsed);
    }
    panic!("{name} with {fault} ended after {late:?}, its deadline was {DEADLINE:?}");
}

fn assert_nothing_leaks(store: &Arc<Store>, error: &Error) {
    let mut texts = vec![error.message.clone(), format!("{error:?}"), store.statistics()];
    texts.extend(std::iter::from_fn(|| store.next_event()).map(|event| event.message));
    for planted in PLANTED {
        assert!(!texts.iter().any(|text| text.contains(planted)), "{planted} in {texts:?}");
    }
}

#[test]
fn a_server_that_takes_requests_and_never_answers_is_a_timeout() {
    every_call_meets(&json!({"do": "black_hole", "at": "request"}), &[Code::Timeout]);
}

#[test]
fn a_server_that_falls_silent_in_the_middle_of_its_answer_is_a_timeout() {
    every_call_meets(&json!({"do": "black_hole", "at": "body"}), &[Code::Timeout]);
}

#[test]
fn one_byte_per_second_is_a_timeout() {
    every_call_meets(&json!({"do": "drip", "bytes_per_second": 1}), &[Code::Timeout]);
}

#[test]
fn a_connection_reset_before_the_answer_is_a_connection_error() {
    every_call_meets(&json!({"do": "reset", "at": "request"}), &[Code::Connection]);
}

#[test]
fn a_connection_closed_before_the_answer_is_a_connection_error() {
    every_call_meets(&json!({"do": "close", "at": "response"}), &[Code::Connection]);
}

#[test]
fn a_connection_reset_in_the_middle_of_the_answer_is_a_connection_error() {
    every_call_meets(&json!({"do": "reset", "at": "body"}), &[Code::Connection]);
}

#[test]
fn a_truncated_answer_is_a_connection_error() {
    every_call_meets(&json!({"do": "close", "at": "body"}), &[Code::Connection]);
}

#[test]
fn an_answer_that_announces_more_than_comes_is_a_timeout_or_a_connection_error() {
    every_call_meets(&json!({"do": "wrong_length", "by": 10}), &[Code::Timeout]);
    every_call_meets(&json!({"do": "wrong_length", "by": 10, "then": "close"}), &[Code::Connection]);
}

#[test]
fn an_answer_that_announces_less_than_comes_is_an_unexpected_response() {
    every_call_meets(&json!({"do": "wrong_length", "by": -5}), &[Code::UnexpectedResponse, Code::Connection]);
}

#[test]
fn garbage_is_an_unexpected_response() {
    every_call_meets(&json!("garbage"), &[Code::UnexpectedResponse]);
}

#[test]
fn something_else_than_dynamodb_is_an_unexpected_response() {
    for (status, body, content_type) in [
        (200, r#"{"status":"PLANTED-PAYLOAD"}"#, "application/json"),
        (200, r#"{"Items":"PLANTED-PAYLOAD","Item":"PLANTED-PAYLOAD"}"#, "application/json"),
        (200, r#"["PLANTED-PAYLOAD"]"#, "application/json"),
        (200, r#""PLANTED-PAYLOAD""#, "application/json"),
        (200, "", "text/plain"),
        (200, "<html>PLANTED-PAYLOAD</html>", "text/html"),
        (404, "<html>PLANTED-PAYLOAD</html>", "text/html"),
        (302, "", "text/html"),
    ] {
        let fault = json!({"do": "answer", "status": status, "body": body, "content_type": content_type});
        every_call_meets(&fault, &[Code::UnexpectedResponse]);
    }
}

#[test]
fn a_fault_of_the_service_is_told_as_such() {
    every_call_meets(&json!({"do": "fault", "status": 500}), &[Code::Service]);
    every_call_meets(&json!({"do": "fault", "status": 503}), &[Code::Service]);
}

#[test]
fn a_throttled_table_is_told_as_such_within_the_deadline() {
    every_call_meets(&json!("throttle"), &[Code::Throttled]);
}

#[test]
fn an_init_whose_writes_are_not_answered_ends_in_time_too() {
    for endpoint in endpoints().iter().take(1) {
        let seed = seed();
        let faults = Faults::start(Some(&endpoint.url), &seed);
        for (fault, code) in [
            (json!({"do": "black_hole", "at": "request"}), Code::Timeout),
            (json!({"do": "drip"}), Code::Timeout),
            (json!({"do": "reset", "at": "body"}), Code::Connection),
            (json!("throttle"), Code::Throttled),
        ] {
            faults.script(json!([{"operation": "PutItem", "do": fault}]));
            let options = Options {
                init_timeout: DEADLINE,
                attempt_timeout: DEADLINE * 2 / 5,
                ..secret_options(faults.in_front_of(endpoint.options(&format!("{fault}-{}", seed.number))))
            };
            let (name, _, init) = CALLS[3];
            one_call_meets(
                &fault,
                &[code],
                &(name, &["initialising", "PutItem", "\"flag\"", "features"], init),
                &options,
            );
        }
        assert!(!faults.actions(&["PutItem"]).contains_key("pass"));
    }
}

#[test]
fn a_server_that_quotes_the_request_does_not_put_it_into_an_error() {
    for endpoint in endpoints().iter().take(1) {
        let seed = seed();
        let faults = Faults::start(Some(&endpoint.url), &seed);
        for (quoting, quoted) in [
            ("ValidationException", "body"),
            ("ValidationException", "credentials"),
            ("AccessDeniedException", "body"),
            ("AccessDeniedException", "credentials"),
            ("InvalidSignatureException", "credentials"),
            ("PLANTED-PAYLOAD", "body"),
        ] {
            faults.script(json!([{"do": {"do": "echo", "type": quoting, "quote": quoted}}]));
            let store = Store::open(secret_options(faults.in_front_of(endpoint.options("echo"))));
            for (name, _, call) in &CALLS {
                let error = call(&store).unwrap_or_else(|| panic!("{name} went well with {quoting}"));
                assert!(!error.code.retriable(), "{name} with {quoting}: {error}");
                assert_nothing_leaks(&store, &error);
            }
        }
        assert!(!faults.actions(&["PutItem"]).contains_key("pass"));
    }
}
