//! How asynchronous calls end: in a queue where the host takes no callbacks, early where it cancels them, and once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;

/// Longer than any call may take, however busy the machine.
const PATIENCE_MS: i64 = 60_000;

/// A store whose finished calls end in a queue.
struct Queued {
    opened: Opened,
    queue: u64,
}

impl Queued {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let queued = Queued { opened: Opened::with(change), queue: queue() };
        // SAFETY: numbers are all it takes.
        assert_eq!(unsafe { store_complete_to(queued.opened.handle, queued.queue, std::ptr::null_mut()) }, 0);
        queued
    }

    fn table(&self) -> &Arc<MemoryTable> {
        &self.opened.table
    }

    /// Begins a call, and returns its number.
    fn begin(&self, which: &str, user_data: usize) -> u64 {
        let (store, kind, key, json) =
            (self.opened.handle, c"features", c"flag", c"{\"flags\":{\"a\":{\"version\":1}}}");
        let user_data = std::ptr::without_provenance_mut(user_data);
        let mut call = 0;
        let place = &raw mut call;
        // SAFETY: every text is live and of the length given; the out-param is live.
        let code = unsafe {
            let (kind, kind_len, key, key_len) = (kind.as_ptr(), 8, key.as_ptr(), 4);
            let error = std::ptr::null_mut();
            match which {
                "get" => store_get_async(store, kind, kind_len, key, key_len, None, user_data, place, error),
                "get_all" => store_get_all_async(store, kind, kind_len, None, user_data, place, error),
                "upsert" => store_upsert_async(
                    store,
                    kind,
                    kind_len,
                    key,
                    key_len,
                    1,
                    0,
                    json.as_ptr(),
                    2,
                    None,
                    user_data,
                    place,
                    error,
                ),
                "init" => {
                    store_init_json_async(store, json.as_ptr(), json.count_bytes(), None, user_data, place, error)
                }
                "initialized" => store_initialized_async(store, None, user_data, place, error),
                "available" => store_available_async(store, None, user_data, place, error),
                "metadata" => store_big_segments_metadata_async(store, None, user_data, place, error),
                _ => store_big_segments_membership_async(store, key, key_len, None, user_data, place, error),
            }
        };
        assert_eq!((code, call != 0), (codes::STORE_OK, true), "{which}");
        call
    }

    /// The next call that is over: its user data, its code, the message of its error, its report.
    fn next(&self, timeout_ms: i64) -> Option<Ended> {
        let (mut user_data, mut result) = (std::ptr::null_mut(), std::ptr::null_mut());
        let none = std::ptr::null_mut();
        // SAFETY: the out-params are live; the result and what comes out of it are freed once.
        unsafe {
            match store_completions_next(self.queue, timeout_ms, &raw mut user_data, &raw mut result, none) {
                codes::STORE_OK => {}
                code => {
                    assert_eq!(code, codes::STORE_NOT_FOUND);
                    return None;
                }
            }
            let (mut error, mut report) = (StoreError::success(), std::ptr::null_mut());
            let code = store_result_code(result);
            let message =
                if store_result_error(result, &raw mut error) < 0 { message(&mut error) } else { String::new() };
            let report = match store_result_report(result, &raw mut report, std::ptr::null_mut()) {
                codes::STORE_OK => {
                    let text = CStr::from_ptr(report).to_str().expect("UTF-8").to_owned();
                    store_string_free(report);
                    serde_json::from_str(&text).expect("JSON")
                }
                _ => serde_json::Value::Null,
            };
            store_result_free(result);
            Some(Ended { user_data: user_data.addr(), code, message, report })
        }
    }

    fn ended(&self) -> Ended {
        self.next(PATIENCE_MS).expect("it ends")
    }

    fn statistic(&self, name: &str) -> u64 {
        let json = handles::get(self.opened.handle).expect("open").statistics();
        let numbers: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        numbers[name].as_u64().expect("a count")
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        // SAFETY: a number is all it takes.
        unsafe { store_completions_close(self.queue, std::ptr::null_mut()) };
    }
}

#[derive(Debug)]
struct Ended {
    user_data: usize,
    code: i32,
    message: String,
    report: serde_json::Value,
}

fn queue() -> u64 {
    let mut queue = 0;
    // SAFETY: the out-param is live.
    assert_eq!(unsafe { store_completions_open(&raw mut queue, std::ptr::null_mut()) }, codes::STORE_OK);
    queue
}

fn cancel(call: u64) -> i32 {
    // SAFETY: a number is all it takes.
    unsafe { store_cancel(call, std::ptr::null_mut()) }
}

/// Waits for what nothing announces.
fn eventually(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::yield_now();
    }
}

const EVERY: [&str; 8] = ["get", "get_all", "upsert", "init", "initialized", "available", "metadata", "membership"];

#[test]
fn a_call_without_a_function_ends_once_in_the_queue_of_its_handle_with_its_user_data() {
    let store = Queued::new(|_| {});
    assert!(store.next(0).is_none() && store.next(1).is_none());
    let mut begun = BTreeMap::new();
    for (place, which) in EVERY.iter().enumerate() {
        // What is no address is handed through as well.
        begun.insert(usize::MAX - place, *which);
        store.begin(which, usize::MAX - place);
    }
    for _ in EVERY {
        let ended = store.ended();
        let which = begun.remove(&ended.user_data).expect("it was begun, and did not end before");
        let nothing_there = ["get", "metadata", "membership"].contains(&which);
        assert!(ended.code == codes::STORE_OK || ended.code == codes::STORE_NOT_FOUND && nothing_there, "{which}");
    }
    assert!(store.next(0).is_none() && begun.is_empty());
}

#[test]
fn without_a_function_and_a_queue_a_call_is_refused_and_says_what_to_do() {
    let store = Opened::new();
    let refused = |error: &mut StoreError| {
        let mut call = 7;
        // SAFETY: the out-params are live.
        let code = unsafe { store_available_async(store.handle, None, std::ptr::null_mut(), &raw mut call, error) };
        assert_eq!(call, 7, "there is no call");
        code
    };
    let mut error = StoreError::success();
    assert_eq!(refused(&mut error), codes::STORE_ERROR_NULL_ARGUMENT);
    assert!(message(&mut error).contains("store_complete_to"));
    // SAFETY: numbers are all it takes.
    unsafe {
        let gone = queue();
        assert_eq!(store_complete_to(store.handle, gone, std::ptr::null_mut()), codes::STORE_OK);
        assert_eq!(store_completions_close(gone, std::ptr::null_mut()), codes::STORE_OK);
        assert_eq!(refused(&mut error), codes::STORE_ERROR_INVALID_HANDLE);
        assert!(message(&mut error).contains("queue"));
        for (of, to) in [(store.handle, gone), (store.handle, 0), (store.handle, store.handle), (gone, queue())] {
            assert_eq!(store_complete_to(of, to, &raw mut error), codes::STORE_ERROR_INVALID_HANDLE);
            message(&mut error);
        }
    }
}

#[test]
fn a_cancelled_call_ends_once_and_says_so() {
    let store = Queued::new(|_| {});
    store.table().fall_silent();
    for (place, which) in EVERY.iter().enumerate() {
        let call = store.begin(which, place);
        assert!(store.next(0).is_none(), "{which} waits");
        assert_eq!(cancel(call), codes::STORE_OK);
        assert_eq!(cancel(call), codes::STORE_OK, "twice is once");
        let ended = store.ended();
        assert_eq!((ended.user_data, ended.code), (place, codes::STORE_CANCELLED), "{ended:?}");
        assert!(ended.message.contains("cancelled"), "{ended:?}");
        let says = match *which {
            "get" => "reading \"flag\" of kind \"features\"",
            "upsert" => "may have been written or not",
            "init" => "its report says what was done",
            _ => "before there was an answer",
        };
        assert!(ended.message.contains(says), "{ended:?}");
        assert_eq!(ended.report.is_object(), *which == "init", "{ended:?}");
        assert_eq!(cancel(call), codes::STORE_OK, "it is over");
    }
    assert!(store.next(0).is_none());
}

#[test]
fn a_call_that_is_over_when_it_is_cancelled_has_its_outcome() {
    let store = Queued::new(|_| {});
    let call = store.begin("upsert", 1);
    eventually(|| store.table().row("features", "flag").is_some());
    let ended = store.ended();
    assert_eq!((cancel(call), ended.code, ended.user_data), (codes::STORE_OK, codes::STORE_OK, 1));
    assert!(store.next(0).is_none());
}

#[test]
fn what_was_never_a_call_cannot_be_cancelled() {
    let store = Queued::new(|_| {});
    for number in [0, 1, store.opened.handle, store.queue, u64::MAX] {
        let mut error = StoreError::success();
        // SAFETY: the out-param is live.
        assert_eq!(unsafe { store_cancel(number, &raw mut error) }, codes::STORE_ERROR_INVALID_HANDLE, "{number:x}");
        assert!(message(&mut error).contains("never a call's"));
    }
}

#[test]
fn a_read_that_others_wait_for_goes_on_for_them() {
    let store = Queued::new(|options| options.cache.ttl = None);
    store.table().insert("features", "flag", Some("7"), Some("{}"));
    store.table().fall_silent();
    let (first, _second) = (store.begin("get", 1), store.begin("get", 2));
    eventually(|| store.statistic("coalesced") == 1 && store.table().requests().len() == 1);
    assert_eq!(cancel(first), codes::STORE_OK);
    let ended = store.ended();
    assert_eq!((ended.user_data, ended.code), (1, codes::STORE_CANCELLED));
    assert!(store.next(0).is_none());
    store.table().speak();
    let ended = store.ended();
    assert_eq!((ended.user_data, ended.code), (2, codes::STORE_OK));
    assert_eq!(store.table().requests(), ["get features/flag"]);
}

#[test]
fn a_cancelled_init_stops_at_the_next_write_reports_what_it_did_and_goes_on_when_called_again() {
    const LEFTOVERS: usize = 3;
    let json = r#"{"features":{"a":{"version":1},"b":{"version":1},"c":{"version":1}}}"#;
    // Everything that an init does with rows: three writes, then a look, three deletions, a look, and the mark.
    for silent_at in 0.. {
        let store = Queued::new(|options| options.write_concurrency = 1);
        for leftover in 0..LEFTOVERS {
            store.table().insert("features", &format!("left{leftover}"), Some("1"), Some("{\"version\":1}"));
        }
        let weak = Arc::downgrade(store.table());
        store.table().before_each(move |_| {
            let table = weak.upgrade().expect("in use");
            if table.requests().len() == silent_at {
                table.fall_silent();
            }
            Ok(())
        });
        let mut call = 0;
        // SAFETY: the text is live; the out-param too.
        let begun = unsafe {
            let (place, none) = (&raw mut call, std::ptr::null_mut());
            store_init_json_async(store.opened.handle, json.as_ptr().cast(), json.len(), None, none, place, none.cast())
        };
        assert_eq!(begun, codes::STORE_OK);
        let mut over = None;
        while over.is_none() && store.table().requests().len() <= silent_at {
            over = store.next(1);
        }
        if let Some(ended) = over {
            assert_eq!((ended.code, silent_at), (codes::STORE_OK, 11), "each of its requests was cut off");
            break;
        }
        assert_eq!(cancel(call), codes::STORE_OK);
        let ended = store.ended();
        let requests = store.table().requests();
        assert_eq!(ended.code, codes::STORE_CANCELLED, "{silent_at}");
        let rows = store.table().contents();
        let is = |prefix: &str| rows.keys().filter(|row| row.starts_with(prefix)).count();
        // The request that is silent was not carried out.
        assert_eq!(ended.report["written"], is("features/") - is("features/left"), "{silent_at}: {rows:?}");
        assert_eq!(ended.report["deleted"], LEFTOVERS - is("features/left"), "{silent_at}: {rows:?}");
        assert!(!rows.contains_key("$inited/$inited"), "{silent_at}: {rows:?}");
        assert_eq!(requests.len(), silent_at + 1, "{silent_at}: nothing began after it");
        store.table().undisturbed();
        store.table().speak();
        assert_eq!(store.table().requests().len(), silent_at + 1, "{silent_at}: nothing goes on");
        assert!(events(&store).iter().any(|event| event.contains("given up in the middle")), "{silent_at}");
        store.opened.init_json(json);
        assert_eq!(store.table().contents().len(), 4, "{silent_at}: the data set and its mark");
    }
}

fn events(store: &Queued) -> Vec<String> {
    let store = handles::get(store.opened.handle).expect("open");
    std::iter::from_fn(|| store.next_event()).map(|event| event.message).collect()
}

#[test]
fn a_store_that_is_not_initialised_stays_so_where_its_init_is_cancelled() {
    let store = Queued::new(|_| {});
    let weak = Arc::downgrade(store.table());
    store.table().before_each(move |request| {
        if request.starts_with("put features") {
            weak.upgrade().expect("in use").fall_silent();
        }
        Ok(())
    });
    let call = store.begin("init", 1);
    eventually(|| !store.table().writes().is_empty());
    assert_eq!(cancel(call), codes::STORE_OK);
    assert_eq!(store.ended().code, codes::STORE_CANCELLED);
    store.table().undisturbed();
    store.table().speak();
    store.begin("initialized", 2);
    assert_eq!(store.ended().code, codes::STORE_OK);
    assert!(store.table().contents().is_empty());
}

#[test]
fn what_is_cancelled_is_not_written_later() {
    let store = Queued::new(|options| options.keep_told = true);
    store.table().fall_silent();
    for which in ["upsert", "init"] {
        let call = store.begin(which, 1);
        eventually(|| !store.table().requests().is_empty());
        assert_eq!(cancel(call), codes::STORE_OK);
        assert_eq!(store.ended().code, codes::STORE_CANCELLED);
        assert_eq!(store.statistic("unwritten"), 0, "{which}");
        store.table().forget_requests();
    }
    store.table().speak();
    store.begin("available", 1);
    assert_eq!(store.ended().code, codes::STORE_OK);
    assert!(store.table().contents().is_empty());
}

#[test]
fn calls_under_way_end_in_the_queue_of_a_store_that_is_closed_and_can_be_cancelled() {
    let store = Queued::new(|_| {});
    store.table().fall_silent();
    let calls = [store.begin("get", 1), store.begin("get", 2)];
    assert_eq!(handles::close(store.opened.handle), Ok(()));
    assert_eq!(cancel(calls[0]), codes::STORE_OK);
    let ended = store.ended();
    assert_eq!((ended.user_data, ended.code), (1, codes::STORE_CANCELLED));
    store.table().speak();
    let ended = store.ended();
    assert_eq!((ended.user_data, ended.code), (2, codes::STORE_NOT_FOUND));
}
