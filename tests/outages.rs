//! What an outage costs, and what is out of order without anyone saying so: dead connections, wrong clocks, answers
//! without end. The faults come from `tests/faults/endpoint`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[allow(dead_code, reason = "not every test program uses all of it")]
#[path = "faults/client.rs"]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::sync::mpsc::channel;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use client::{Faults, seed};
use endpoint::{endpoints, prefix};
use flagstore::model::options::Options;
use flagstore::model::row::Item;
use flagstore::model::{Code, Result, data_set};
use flagstore::store::{Found, Store, Upserted};
use serde_json::{Value, json};

/// Long enough for any attempt that is answered, on a machine that does other things too.
const ATTEMPT: Duration = Duration::from_millis(700);
/// Long enough for everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// An endpoint in front of an empty table, and the options of a store on it.
fn empty_table() -> (Faults, Options) {
    let faults = Faults::start(None, &seed());
    let options =
        r#"{"table":"flags","endpoint":"http://-","access_key_id":"local","secret_access_key":"local","shared":false}"#;
    let options = Options { timeout: PATIENCE, ..Options::from_json(options).expect("options") };
    let options = faults.in_front_of(options);
    (faults, options)
}

fn item(key: &str, version: i64) -> Item {
    Item { key: key.into(), version, deleted: false, item: Some(format!("{{\"version\":{version}}}")) }
}

/// Starts so many gets at once. Their answers come over the channel.
fn gets(store: &Arc<Store>, count: usize) -> mpsc::Receiver<Result<Option<Found>>> {
    let (done, answers) = channel();
    for number in 0..count {
        let done = done.clone();
        let answered = move |answer| done.send(answer).expect("somebody waits");
        store.calls().get("features", &format!("flag{number}")).then(answered).expect("started");
    }
    answers
}

fn requests(faults: &Faults, action: &str) -> usize {
    faults.requests().iter().filter(|request| request.action == action).count()
}

/// A store with so many connections in its pool, all of them dead.
fn with_dead_connections(faults: &Faults, options: &Options, count: usize) -> Arc<Store> {
    let store = Store::open(Options { attempt_timeout: ATTEMPT, ..options.clone() });
    faults.script(json!([{"do": "hold"}]));
    let answers = gets(&store, count);
    faults.wait(&json!({"action": "hold", "count": count}));
    faults.script(json!([]));
    for _ in 0..count {
        answers.recv_timeout(PATIENCE).expect("an answer").expect("undisturbed");
    }
    faults.silence();
    store
}

#[test]
fn connections_that_die_in_silence_cost_an_attempt_and_no_call() {
    for count in [1, 8, 32] {
        let (faults, options) = empty_table();
        let store = with_dead_connections(&faults, &options, count);
        store.get("features", "flag").expect("over a new connection");
        assert_eq!(requests(&faults, "mute"), 1, "of {count} dead connections");
        store.get("features", "flag").expect("over the same");
        assert_eq!(requests(&faults, "mute"), 1, "of {count} dead connections");
    }
}

#[test]
fn calls_that_meet_dead_connections_together_lose_an_attempt_each() {
    let (faults, options) = empty_table();
    let store = with_dead_connections(&faults, &options, 32);
    let answers = gets(&store, 16);
    for _ in 0..16 {
        answers.recv_timeout(PATIENCE).expect("an answer").expect("over a new connection");
    }
    assert_eq!(requests(&faults, "mute"), 16);
    let statistics: Value = serde_json::from_str(&store.statistics()).expect("JSON");
    assert_eq!(statistics["errors"], 0, "{statistics}");
}

#[test]
fn in_an_outage_a_call_makes_hardly_more_than_one_request() {
    for fault in [json!("fault"), json!("throttle"), json!({"do": "close", "at": "request"})] {
        let (faults, options) = empty_table();
        let store = Store::open(options);
        store.get("features", "flag").expect("undisturbed");
        faults.script(json!([{ "do": fault }]));
        const CALLS: usize = 600;
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..CALLS / 20 {
                        store.get("features", "flag").expect_err("an outage");
                    }
                });
            }
        });
        let sent = faults.requests().iter().filter(|request| request.action != "pass").count();
        assert!(sent >= CALLS && sent * 10 <= CALLS * 13, "{sent} requests for {CALLS} calls with {fault}");
        faults.script(json!([]));
        store.get("features", "flag").expect("the outage is over");
    }
}

#[test]
fn no_more_requests_are_in_flight_than_allowed_and_the_others_wait() {
    let (faults, options) = empty_table();
    let store = Store::open(Options { max_connections: 8, ..options });
    faults.script(json!([{"do": "hold"}]));
    let answers = gets(&store, 200);
    faults.wait(&json!({"action": "hold", "count": 8}));
    assert!(answers.recv_timeout(Duration::from_millis(100)).is_err(), "nobody is answered yet");
    assert_eq!((faults.requests().len(), faults.connections()), (8, 8));
    faults.script(json!([]));
    for _ in 0..200 {
        answers.recv_timeout(PATIENCE).expect("an answer").expect("in its turn");
    }
    assert!(faults.connections() <= 8);
}

#[test]
fn who_waits_for_others_until_the_deadline_is_told_so() {
    let (faults, options) = empty_table();
    faults.script(json!([{"do": "hold"}]));
    let slow = Duration::from_millis(400);
    let store = Store::open(Options { max_connections: 2, timeout: slow, attempt_timeout: PATIENCE, ..options });
    let answers = gets(&store, 5);
    let mut errors: Vec<_> = (0..5).map(|_| answers.recv_timeout(PATIENCE).expect("an answer")).collect();
    errors.retain(|answer| answer.as_ref().is_err_and(|error| error.message.contains("2 requests were in flight")));
    assert_eq!(errors.len(), 3, "those who never had a place");
    for error in errors.into_iter().filter_map(Result::err) {
        assert_eq!(error.code, Code::Timeout);
        assert!(error.message.contains("max_connections") && error.message.contains("GetItem"), "{error}");
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let (faults, options) = empty_table();
    let store = Store::open(Options { attempt_timeout: PATIENCE, ..options });
    for fault in [json!("endless"), json!({"do": "wrong_length", "by": 100_000_000})] {
        faults.script(json!([{ "do": fault }]));
        let started = Instant::now();
        let error = store.all("features").expect_err("too much");
        assert_eq!(error.code, Code::UnexpectedResponse, "{error}");
        assert!(error.message.contains("more than 16 MiB"), "{error}");
        assert!(started.elapsed() < PATIENCE, "it waited for the end");
    }
    faults.script(json!([]));
    faults.wait(&json!({"connections": 1}));
    store.all("features").expect("over a new connection");
}

#[test]
fn a_clock_that_is_off_is_corrected_by_the_first_answer_that_says_so() {
    let (faults, options) = empty_table();
    let store = Store::open(options);
    for (ahead, requests) in [(3_600, 2), (3_600, 1), (-86_400, 2), (-86_400, 1), (0, 2), (120, 1)] {
        faults.script(json!([{"do": {"do": "clock", "ahead_s": ahead}}]));
        let before = faults.requests().len();
        store.get("features", "flag").unwrap_or_else(|error| panic!("{ahead} s ahead: {error}"));
        assert_eq!(faults.requests().len() - before, requests, "{ahead} s ahead");
    }
}

#[test]
fn a_refusal_about_the_time_that_no_correction_helps_is_told_as_such() {
    let (faults, options) = empty_table();
    let store = Store::open(options);
    faults.script(json!([{"do": {"do": "refuse", "type": "RequestTimeTooSkewed"}}]));
    let error = store.get("features", "flag").expect_err("refused");
    assert_eq!(error.code, Code::ClockSkew, "{error}");
    assert_eq!(faults.requests().len(), 1, "nothing says what time it is");
}

#[test]
fn a_refusal_names_the_request_for_aws_and_quotes_no_token() {
    let (faults, options) = empty_table();
    let mut credentials = options.credentials.clone().expect("given");
    credentials.session_token = Some("plain-looking-session".into());
    let store = Store::open(Options { credentials: Some(credentials), ..options });
    for name in ["AccessDeniedException", "ValidationException"] {
        let refusal = |message: &str| json!([{"do": {"do": "refuse", "type": name, "message": message}}]);
        faults.script(refusal("The policy forbids it."));
        let error = store.get("features", "flag").expect_err("refused");
        assert!(error.message.contains("(The policy forbids it.)"), "{error}");
        assert!(error.message.contains("(AWS request id FAULT)"), "{error}");
        faults.script(json!([{"do": {"do": "echo", "type": name, "quote": "token"}}]));
        let error = store.get("features", "flag").expect_err("refused");
        assert!(!error.message.contains("plain-looking") && error.message.contains("FAULT"), "{error}");
    }
}

#[test]
fn a_key_forges_no_line_of_a_log() {
    let (faults, options) = empty_table();
    let store = Store::open(options);
    faults.script(json!([{"do": {"do": "refuse", "type": "AccessDeniedException"}}]));
    let error = store.get("features", "flag\nERROR everything is lost").expect_err("refused");
    assert!(error.message.contains(r#""flag\nERROR everything is lost""#), "{error}");
    assert!(!error.message.contains(char::is_control), "{error}");
}

#[test]
fn a_write_that_meets_itself_is_done_also_where_no_row_comes_with_a_failed_condition() {
    for endpoint in endpoints().into_iter().take(1) {
        let faults = Faults::start(Some(&endpoint.url), &seed());
        let prefix = prefix();
        let options = endpoint.options(&prefix);
        let (store, direct) = (Store::open(faults.in_front_of(options.clone())), Store::open(options));
        let lost = |operation: &str| {
            faults.script(json!([
                {"operation": operation, "nth": 1, "do": {"do": "reset", "at": "response"}},
                {"operation": ["PutItem", "DeleteItem"], "do": "rowless"},
            ]));
        };
        lost("PutItem");
        assert_eq!(store.upsert("features", &item("own", 5)), Ok(Upserted::Written));
        assert_eq!(requests(&faults, "rowless"), 1, "the second attempt met the first");

        // Somebody else's write of another text is none of one's own.
        direct.upsert("features", &item("others", 7)).expect("a row");
        lost("PutItem");
        let outcome = store.upsert("features", &item("others", 7));
        assert!(matches!(outcome, Ok(Upserted::NewerExists(_) | Upserted::Written)), "{outcome:?}");
        let outcome = store.upsert("features", &Item { item: Some("{\"other\":1}".into()), ..item("others", 7) });
        assert!(matches!(outcome, Ok(Upserted::NewerExists(_))), "{outcome:?}");

        direct.upsert("features", &item("leftover", 1)).expect("a row");
        for operation in ["PutItem", "DeleteItem"] {
            lost(operation);
            let data = vec![("features".into(), vec![item("own", 9), item("others", 9)])];
            let report = store.init(data_set::from_items(data).expect("data")).expect("repeated");
            assert_eq!(report.kept_newer(), 0, "{operation}: {report:?}");
        }
        let rows = direct.all("features").expect("readable").rows;
        assert_eq!(rows.iter().map(|row| (&*row.key, row.version)).collect::<Vec<_>>(), [("others", 9), ("own", 9)]);
    }
}
