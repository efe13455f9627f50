//! The exported functions on a table in memory, for what needs neither C nor a network; `cargo miri test` runs them.

mod endings;

use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::dynamo::memory::MemoryTable;
use crate::dynamo::{BigSegmentRow, Counters};
use crate::model::Error;
use crate::store::Store;

/// A store on a table in memory, behind a handle.
struct Opened {
    table: Arc<MemoryTable>,
    handle: u64,
}

impl Opened {
    fn new() -> Self {
        Opened::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let table = Arc::new(MemoryTable::default());
        let mut options = Options::for_table("flags");
        change(&mut options);
        let store = Store::on(options, Arc::clone(&table) as _, Arc::<Counters>::default());
        Opened { handle: handles::insert(store), table }
    }

    fn init_json(&self, json: &str) {
        let none = std::ptr::null_mut();
        // SAFETY: the text is live.
        let code = unsafe { store_init_json(self.handle, json.as_ptr().cast(), json.len(), none, none.cast()) };
        assert_eq!(code, codes::STORE_OK);
    }

    fn upsert(&self, key: &str, version: i64, text: Option<&str>) -> i32 {
        let (item, item_len) = text.map_or((std::ptr::null(), 0), |text| (text.as_ptr().cast(), text.len()));
        // SAFETY: every pointer is to a live string of the length given, or NULL.
        unsafe {
            store_upsert(
                self.handle,
                c"features".as_ptr(),
                8,
                key.as_ptr().cast(),
                key.len(),
                version,
                i32::from(text.is_none()),
                item,
                item_len,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        }
    }

    fn get(&self, key: &str, item: &mut StoreItem, error: &mut StoreError) -> i32 {
        // SAFETY: as above; the out-params are live.
        unsafe { store_get(self.handle, c"features".as_ptr(), 8, key.as_ptr().cast(), key.len(), item, error) }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: a number is all it takes.
        unsafe { store_close(self.handle, std::ptr::null_mut()) };
    }
}

/// # Safety
/// `text` must be valid for reads of `len` bytes.
unsafe fn text_of<'a>(text: *const c_char, len: usize) -> &'a str {
    // SAFETY: the caller's promise.
    std::str::from_utf8(unsafe { std::slice::from_raw_parts(text.cast(), len) }).expect("UTF-8")
}

fn message(error: &mut StoreError) -> String {
    assert!(!error.message.is_null());
    // SAFETY: the library filled it; it is freed once.
    unsafe {
        let message = CStr::from_ptr(error.message).to_str().expect("UTF-8").to_owned();
        store_error_free(error);
        store_error_free(error);
        message
    }
}

#[test]
fn an_item_comes_back_as_it_went_in_and_is_freed_once() {
    let store = Opened::new();
    let (mut item, mut error) = (StoreItem::empty(), StoreError::success());
    let key = "clé\0with NUL";
    assert_eq!(store.get(key, &mut item, &mut error), codes::STORE_NOT_FOUND);
    assert_eq!(store.upsert(key, 3, Some("not JSON \0 é")), codes::STORE_OK);
    assert_eq!(store.get(key, &mut item, &mut error), codes::STORE_OK);
    // SAFETY: the library filled the item.
    unsafe {
        assert_eq!((text_of(item.key, item.key_len), text_of(item.item, item.item_len)), (key, "not JSON \0 é"));
        assert_eq!((item.version, item.deleted, item.stale), (3, 0, 0));
        store_item_free(&raw mut item);
        store_item_free(&raw mut item);
    }
    assert_eq!(store.upsert(key, 3, Some("again")), codes::STORE_NEWER_EXISTS);
    assert_eq!(store.upsert(key, 4, None), codes::STORE_OK);
    assert_eq!(store.get(key, &mut item, &mut error), codes::STORE_OK);
    assert_eq!((item.version, item.deleted, item.item.is_null()), (4, 1, true));
    // SAFETY: the library filled the item.
    unsafe { store_item_free(&raw mut item) };
}

#[test]
fn a_whole_data_set_goes_in_as_structures_and_comes_out_as_a_list() {
    let store = Opened::new();
    let given = |key: &'static str, version, text: &'static str| StoreItem {
        key: key.as_ptr().cast(),
        key_len: key.len(),
        item: text.as_ptr().cast(),
        item_len: text.len(),
        version,
        ..StoreItem::empty()
    };
    let items = [given("b", 2, "two"), given("a", 1, "one")];
    let collections =
        [StoreCollection { kind: c"things".as_ptr(), kind_len: 6, items: items.as_ptr(), items_len: items.len() }];
    let mut report = std::ptr::null_mut();
    let mut list = std::ptr::null_mut();
    let (mut first, mut count) = (std::ptr::null(), 0);
    // SAFETY: every pointer is to something live of the length given; what comes out is freed once.
    unsafe {
        assert_eq!(store_init(store.handle, collections.as_ptr(), 1, &raw mut report, std::ptr::null_mut()), 0);
        assert!(CStr::from_ptr(report).to_str().expect("UTF-8").contains("\"written\":2"));
        store_string_free(report);
        assert_eq!(store_get_all(store.handle, c"things".as_ptr(), 6, &raw mut list, std::ptr::null_mut()), 0);
        assert_eq!(store_items_view(list, &raw mut first, &raw mut count, std::ptr::null_mut()), 0);
        let found: Vec<_> = std::slice::from_raw_parts(first, count)
            .iter()
            .map(|item| (text_of(item.key, item.key_len), text_of(item.item, item.item_len), item.version))
            .collect();
        assert_eq!(found, [("a", "one", 1), ("b", "two", 2)]);
        store_items_free(list);
        let mut initialized = 7;
        assert_eq!(store_initialized(store.handle, &raw mut initialized, std::ptr::null_mut()), 0);
        assert_eq!(initialized, 1);
        assert_eq!(store_init(store.handle, std::ptr::null(), 0, std::ptr::null_mut(), std::ptr::null_mut()), 0);
    }
}

#[test]
fn memberships_statistics_and_events_come_out() {
    let store = Opened::new();
    let row = BigSegmentRow { included: vec!["seg.g1".into()], ..BigSegmentRow::default() };
    store.table.insert_big_segment("big_segments_user", "hash", row);
    store.table.insert("features", "bad", Some("1"), Some(""));
    let (mut membership, mut name, mut name_len, mut included) = (std::ptr::null_mut(), std::ptr::null(), 0, 7);
    let (mut json, mut level, mut event) = (std::ptr::null_mut(), 0, std::ptr::null_mut());
    let none = std::ptr::null_mut();
    // SAFETY: every pointer is to something live of the length given; what comes out is freed once.
    unsafe {
        assert_eq!(store_big_segments_membership(store.handle, c"hash".as_ptr(), 4, &raw mut membership, none), 0);
        assert_eq!(store_membership_count(membership), 1);
        let mut entry = |place| {
            store_membership_entry(membership, place, &raw mut name, &raw mut name_len, &raw mut included, none)
        };
        assert_eq!((entry(1), entry(0)), (codes::STORE_NOT_FOUND, 0));
        assert_eq!((text_of(name, name_len), included), ("seg.g1", 1));
        store_membership_free(membership);
        let mut milliseconds = 5;
        assert_eq!(store_big_segments_metadata(store.handle, &raw mut milliseconds, none), codes::STORE_NOT_FOUND);
        assert_eq!(milliseconds, 5);
        assert_eq!(store.get("bad", &mut StoreItem::empty(), &mut StoreError::success()), codes::STORE_NOT_FOUND);
        assert_eq!(store_next_event(store.handle, &raw mut level, &raw mut event, none), 0);
        assert_eq!(level, codes::STORE_LEVEL_ERROR);
        assert!(CStr::from_ptr(event).to_str().expect("UTF-8").contains("\"bad\""));
        store_string_free(event);
        assert_eq!(store_next_event(store.handle, &raw mut level, &raw mut event, none), codes::STORE_NOT_FOUND);
        assert_eq!(store_statistics(store.handle, &raw mut json, none), 0);
        assert!(CStr::from_ptr(json).to_str().expect("UTF-8").contains("\"skipped_rows\":1"));
        store_string_free(json);
    }
}

unsafe extern "C" fn send_result(user_data: *mut c_void, result: *mut StoreResult) {
    // SAFETY: the test below passes a pointer to a sender that is never freed; the result belongs to the callee.
    unsafe {
        let mut item = StoreItem::empty();
        let code = store_result_code(result);
        let found = store_result_item(result, &raw mut item, std::ptr::null_mut());
        store_item_free(&raw mut item);
        store_result_free(result);
        (*user_data.cast::<Sender<(i32, i32)>>()).send((code, found)).expect("awaited");
    }
}

#[test]
fn an_asynchronous_call_ends_in_exactly_one_callback() {
    let store = Opened::new();
    assert_eq!(store.upsert("flag", 1, Some("{}")), 0);
    let (sender, receiver) = channel::<(i32, i32)>();
    // Kept for good: the callback may still be inside `send` when its message arrives here.
    let sender = Box::into_raw(Box::new(sender));
    for (key, expected) in [("flag", (0, 0)), ("none", (1, 1)), ("", (Code::EmptyKey.number(), 1))] {
        // SAFETY: the strings are live, and the sender is never freed.
        let accepted = unsafe {
            store_get_async(
                store.handle,
                c"features".as_ptr(),
                8,
                key.as_ptr().cast(),
                key.len(),
                Some(send_result),
                sender.cast(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
        assert_eq!(accepted, codes::STORE_OK);
        assert_eq!(receiver.recv().expect("called"), expected, "{key:?}");
    }
    assert!(receiver.try_recv().is_err());
}

#[test]
fn a_closed_or_invented_handle_is_an_error_that_says_so() {
    let store = Opened::new();
    let stale = {
        let other = Opened::new();
        other.handle
    };
    for handle in [0, 1, stale, u64::MAX, store.handle ^ (1 << 62)] {
        let mut error = StoreError::success();
        // SAFETY: a number is all it takes.
        assert_eq!(unsafe { store_close(handle, &raw mut error) }, Code::InvalidHandle.number(), "{handle:x}");
        assert!(message(&mut error).contains("store_open"));
    }
    assert_eq!(store.upsert("still open", 1, Some("{}")), 0);
}

#[test]
fn initialized_is_sticky_once_true_for_each_handle() {
    let initialized = |handle| {
        let mut answer = 7;
        // SAFETY: the out-param is live.
        let code = unsafe { store_initialized(handle, &raw mut answer, std::ptr::null_mut()) };
        (code, answer)
    };
    let store = Opened::new();
    let another_handle = || handles::insert(Arc::clone(&handles::get(store.handle).expect("open")));
    let (asked_before, initializes) = (another_handle(), another_handle());
    assert_eq!(initialized(asked_before), (0, 0));
    store.table.insert("$inited", "$inited", None, None);
    assert_eq!(initialized(store.handle), (0, 1));
    // The table is emptied and goes away: who heard goes on, who did not has to ask.
    store.table.forget_requests();
    store.table.before_each(|_| Err(Error::new(Code::Connection, "gone")));
    assert_eq!(initialized(store.handle), (0, 1));
    assert!(store.table.requests().is_empty());
    assert_eq!(initialized(asked_before), (Code::Connection.number(), 7));
    store.table.before_each(|_| Ok(()));
    // SAFETY: no collections, and no out-param.
    unsafe {
        assert_eq!(store_init(initializes, std::ptr::null(), 0, std::ptr::null_mut(), std::ptr::null_mut()), 0);
    }
    store.table.forget_requests();
    assert_eq!(initialized(initializes), (0, 1));
    assert!(store.table.requests().is_empty());
    for handle in [asked_before, initializes] {
        assert_eq!(handles::close(handle), Ok(()));
    }
}

#[test]
fn equal_options_share_a_store_until_told_otherwise() {
    let open = |options: &str| {
        let mut handle = 0;
        // SAFETY: the text and the out-param are live.
        let code = unsafe { store_open(options.as_ptr().cast(), options.len(), &raw mut handle, std::ptr::null_mut()) };
        assert_eq!(code, codes::STORE_OK);
        handle
    };
    let store = |handle| handles::get(handle).expect("open");
    let close = |handle| assert_eq!(handles::close(handle), Ok(()));
    let (a, b) = (open(r#"{"table":"t","prefix":"x"}"#), open(r#"{"prefix":"x","table":"t","timeout_ms":5000}"#));
    let (other, own) = (open(r#"{"table":"t"}"#), open(r#"{"table":"t","prefix":"x","shared":false}"#));
    assert_ne!(a, b);
    assert!(Arc::ptr_eq(&store(a), &store(b)));
    assert!(!Arc::ptr_eq(&store(a), &store(other)) && !Arc::ptr_eq(&store(a), &store(own)));
    let weak = Arc::downgrade(&store(a));
    [a, b, other, own].into_iter().for_each(close);
    assert!(weak.upgrade().is_none(), "the last handle closes the store");
    let persistent = open(r#"{"table":"t","persistent":true}"#);
    let weak = Arc::downgrade(&store(persistent));
    close(persistent);
    assert!(Arc::ptr_eq(&weak.upgrade().expect("it stays"), &store(open(r#"{"table":"t","persistent":true}"#))));
}

#[test]
#[cfg_attr(miri, ignore = "it connects")]
fn the_doctor_s_report_is_the_caller_s_also_where_nothing_is_reached() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.expect("an address that nobody listens at any more");
    let options = format!(
        r#"{{"table":"flags","endpoint":"http://{address}","access_key_id":"AKIAIOSFODNN7EXAMPLE","secret_access_key":"PLANTED","timeout_ms":300}}"#
    );
    let doctor = |options: &str, report: *mut *mut c_char, error: &mut StoreError| {
        // SAFETY: the text is live, and so is what is filled; `report` may be NULL.
        unsafe { store_doctor(options.as_ptr().cast(), options.len(), report, error) }
    };
    let (mut report, mut error) = (std::ptr::null_mut(), StoreError::success());
    assert_eq!(doctor(&options, &raw mut report, &mut error), codes::STORE_OK);
    // SAFETY: it was filled with a text that ends with NUL.
    let text = unsafe { CStr::from_ptr(report) }.to_str().expect("UTF-8").to_owned();
    // SAFETY: it is this library's, and freed once.
    unsafe { store_string_free(report) };
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["problems"], &json["warnings"]), (&1.into(), &0.into()), "{text}");
    let problem = json["findings"].as_array().expect("findings").iter().find(|finding| finding["level"] == "problem");
    assert_eq!(problem.expect("a problem")["check"], "connection");
    assert!(text.contains("ends in MPLE") && !text.contains("PLANTED") && !text.contains("AKIA"), "{text}");

    let mut untouched = std::ptr::null_mut();
    assert_eq!(doctor("{}", &raw mut untouched, &mut error), codes::STORE_ERROR_EMPTY_TABLE_NAME);
    assert!(untouched.is_null() && message(&mut error).contains("table"));
    assert_eq!(doctor(&options, std::ptr::null_mut(), &mut error), codes::STORE_ERROR_NULL_ARGUMENT);
    drop(message(&mut error));
}
