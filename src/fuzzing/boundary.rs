//! The boundary: options, data sets as structures, and any sequence of calls, on a table in memory.

use std::ffi::{CStr, c_char, c_void};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use super::Input;
use crate::abi::*;
use crate::dynamo::memory::MemoryTable;
use crate::dynamo::{BigSegmentRow, Counters};
use crate::ffi::buffers::{StoreCollection, StoreItem, data_set};
use crate::ffi::callbacks::StoreResult;
use crate::ffi::error::StoreError;
use crate::ffi::{codes, handles};
use crate::model::options::Options;
use crate::model::row::{Payload, Row};
use crate::model::{Code, codec, data_set as data};
use crate::runtime::panics;
use crate::store::Store;
use crate::store::read_through::breaker::Breaker;
use crate::store::read_through::cache::Cache;
use crate::store::read_through::moment::Moment;

/// What no message may hold.
const SECRET: &str = "PLANTED-SECRET";

/// Makes a call and holds it to what the header says of every call: a code that has a name and is no bug, and an error
/// filled exactly when it is negative.
pub(super) fn checked(call: impl FnOnce(*mut StoreError) -> i32) -> (i32, String) {
    // The header says that it is overwritten without being read.
    let mut error = StoreError { code: 77, retriable: 77, message: std::ptr::dangling_mut() };
    let code = call(&raw mut error);
    assert!(codes::NAMES.iter().any(|(number, _)| *number == code), "a code without a name: {code}");
    assert_eq!(error.code, code.min(0));
    if code >= 0 {
        assert!(error.message.is_null() && error.retriable == 0);
        return (code, String::new());
    }
    // SAFETY: the library filled it; it is freed twice, which the header allows.
    let message = unsafe {
        let message = CStr::from_ptr(error.message).to_str().expect("messages are UTF-8").to_owned();
        store_error_free(&raw mut error);
        store_error_free(&raw mut error);
        message
    };
    assert!(code != codes::STORE_ERROR_PANIC, "{message}");
    assert!(!message.is_empty() && !message.contains(SECRET), "{message}");
    (code, message)
}

/// The options' JSON: `store_open` says what the reader of options says, and a store with any options that are taken can
/// be used and closed, its cache included. What is refused has a code of its own, and shows no secret.
pub fn options(data: &[u8]) {
    hear_panics();
    let read = std::str::from_utf8(data).map_err(|_| Code::InvalidUtf8);
    let read = read.and_then(|text| Options::from_json(text).map_err(|error| error.code));
    // One that persists stays for good, which is its purpose and fills the memory.
    if !read.as_ref().is_ok_and(|options| options.persistent) {
        let mut handle = 0;
        // SAFETY: the text and the out-params are live.
        let (code, _) =
            checked(|error| unsafe { store_open(data.as_ptr().cast(), data.len(), &raw mut handle, error) });
        assert_eq!(code, read.as_ref().err().map_or(codes::STORE_OK, |code| code.number()));
        if code == codes::STORE_OK {
            // SAFETY: a number is all it takes.
            unsafe {
                assert_eq!(checked(|error| store_clear_cache(handle, error)).0, codes::STORE_OK);
                assert_eq!(checked(|error| store_close(handle, error)).0, codes::STORE_OK);
                assert_eq!(checked(|error| store_close(handle, error)).0, codes::STORE_ERROR_INVALID_HANDLE);
            }
        }
    }
    let Ok(options) = read else { return };
    let again = Options::from_json(std::str::from_utf8(data).expect("it was read"));
    assert_eq!(again.as_ref(), Ok(&options));
    if options.credentials.as_ref().is_some_and(|given| given.secret_access_key == SECRET) {
        assert!(!format!("{:?}", options.credentials).contains(SECRET));
    }
    let Some(cache) = Cache::new(&options.cache) else { return };
    let row = Arc::new(Row { key: "key".into(), version: 1, payload: Payload::Live("payload".into()) });
    cache.keep_row(cache.row_mark("features", "key"), "features", "key", Some(Arc::clone(&row)), Duration::ZERO);
    cache.keep_list(cache.list_mark("features"), "features", Arc::new(vec![Row::clone(&row)]), Duration::ZERO);
    cache.doubt("features", "key");
    let now = Moment::now();
    let _ = (cache.row_to_stand_in("features", "key", now), cache.list_to_stand_in("features", now));
    if let Some(look) = cache.row("features", "key", &Breaker::new()) {
        assert_eq!(look.value, Some(row));
    }
    assert!(cache.bytes() <= options.cache.max_bytes);
}

/// Opening a store silences the panics of the whole process, and a finding is one.
fn hear_panics() {
    static HEARD: Once = Once::new();
    HEARD.call_once(|| {
        let hook = std::panic::take_hook();
        panics::silence();
        std::panic::set_hook(hook);
    });
}

/// Text as a caller may give it.
struct Text<'a> {
    pointer: *const c_char,
    length: usize,
    /// What it says, if it is text at all.
    says: Option<&'a str>,
}

impl<'a> Text<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let says = std::str::from_utf8(bytes).ok();
        Text { pointer: bytes.as_ptr().cast(), length: bytes.len(), says }
    }

    /// One of a few that are usual, or arbitrary bytes, or none with whatever length.
    fn any(input: &mut Input<'a>, usual: &[&'static str]) -> Text<'a> {
        const NAME: &str = match std::str::from_utf8(&[b'n'; 3000]) {
            Ok(name) => name,
            Err(_) => "",
        };
        let none = |length, says| Text { pointer: std::ptr::null(), length, says };
        match input.byte() {
            255 => none(0, Some("")),
            254 => none(1, None),
            253 => none(usize::MAX, None),
            // Not NULL, and longer than any memory: refused before it is read.
            252 => Text { length: usize::MAX, says: None, ..Text::of(b"x") },
            251 => Text::of(&NAME.as_bytes()[..1024]),
            250 => Text::of(&NAME.as_bytes()[..1025]),
            249 => Text::of(&NAME.as_bytes()[..2049]),
            248 => Text::of(b"\xff\xfe"),
            200..=247 => Text::of(input.bytes()),
            usual_one => Text::of(usual[usize::from(usual_one) % usual.len()].as_bytes()),
        }
    }

    fn kind(input: &mut Input<'a>) -> Text<'a> {
        Text::any(input, &["features", "segments", "things"])
    }

    fn key(input: &mut Input<'a>) -> Text<'a> {
        Text::any(input, &["a", "b", "c", "\"clé\0", "$inited"])
    }

    fn payload(input: &mut Input<'a>) -> Text<'a> {
        let usual = [
            "",
            r#"{"version":1}"#,
            r#"{"key":"a","version":2,"prerequisites":[{"key":"b"}]}"#,
            r#"{"deleted":true,"version":3}"#,
            "null",
            "not JSON",
        ];
        Text::any(input, &usual)
    }
}

/// Structures of a data set, and whether a caller may give them.
struct Given<'a> {
    collections: Vec<StoreCollection>,
    /// What the collections point to.
    _items: Vec<Vec<StoreItem>>,
    /// Every item by kind, if all is well: key, version, deleted.
    says: Option<Vec<(&'a str, Vec<Said<'a>>)>>,
}

type Said<'a> = (&'a str, i64, bool);

impl<'a> Given<'a> {
    fn any(input: &mut Input<'a>) -> Given<'a> {
        let mut given = Given { collections: Vec::new(), _items: Vec::new(), says: Some(Vec::new()) };
        for _ in 0..input.byte() % 4 {
            let kind = Text::kind(input);
            let (mut items, mut said, mut fine) = (Vec::new(), Vec::<Said<'_>>::new(), true);
            for _ in 0..input.byte() % 6 {
                let (key, payload, version) = (Text::key(input), Text::payload(input), input.number());
                let deleted = input.byte() % 3;
                items.push(StoreItem {
                    key: key.pointer,
                    key_len: key.length,
                    item: payload.pointer,
                    item_len: payload.length,
                    version,
                    deleted: i32::from(deleted) - 1,
                    ..StoreItem::empty()
                });
                let deleted = deleted != 1;
                match (key.says, payload.says) {
                    // Left out.
                    (Some(""), Some(_)) => {}
                    (Some(key), Some(payload)) => {
                        let key_fits = (1..=1024).contains(&key.len()) && !said.iter().any(|(said, ..)| *said == key);
                        fine &= key_fits && version >= 0 && (deleted || !payload.is_empty());
                        said.push((key, version, deleted));
                    }
                    _ => fine = false,
                }
            }
            let (pointer, length) = match input.byte() {
                255 => (std::ptr::null(), items.len().max(1)),
                254 => (items.as_ptr(), usize::MAX),
                253 => (std::ptr::null(), 0),
                _ => (items.as_ptr(), items.len()),
            };
            match length {
                0 => said.clear(),
                length if length != items.len() || pointer.is_null() => fine = false,
                _ => {}
            }
            fine |= length == 0;
            given.says = match (given.says, kind.says) {
                (Some(mut says), Some(kind)) if fine && (1..=2048).contains(&kind.len()) => {
                    let new = !says.iter().any(|(said, _)| *said == kind);
                    says.push((kind, said));
                    new.then_some(says)
                }
                _ => None,
            };
            let kind = (kind.pointer, kind.length);
            given.collections.push(StoreCollection {
                kind: kind.0,
                kind_len: kind.1,
                items: pointer,
                items_len: length,
            });
            given._items.push(items);
        }
        given
    }
}

/// Data sets as structures, with NULL, wrong lengths, bad UTF-8, keys given twice: taken exactly when everything is as the
/// header asks, and then item by item what was given; what is refused has a code of its own.
pub fn init_structs(data: &[u8]) {
    let given = Given::any(&mut Input(data));
    // SAFETY: every pointer is NULL, or to something live of the length given, or has a length that is refused.
    let taken = unsafe { data_set(given.collections.as_ptr(), given.collections.len()) }.and_then(data::from_items);
    match (taken, given.says) {
        (Ok(taken), Some(says)) => {
            let taken = taken.iter().map(|collection| {
                let rows = collection.rows.iter().map(|row| (&*row.key, row.version, row.deleted));
                (collection.kind.as_str(), rows.collect::<Vec<_>>())
            });
            assert_eq!(taken.collect::<Vec<_>>(), says);
        }
        (Err(error), None) => assert!((-17..=-2).contains(&error.code.number()), "{error:?}"),
        (taken, says) => panic!("taken: {taken:?}, given: {says:?}"),
    }
}

/// The table, the handles that are open, and those that are closed.
struct Session {
    table: Arc<MemoryTable>,
    open: Vec<u64>,
    closed: Vec<u64>,
}

impl Session {
    fn open(&mut self, cached: bool) {
        let mut options = Options::for_table("flags");
        if cached {
            options.cache.ttl = None;
        }
        let store = Store::on(options, Arc::clone(&self.table) as _, Arc::<Counters>::default());
        self.open.push(handles::insert(store));
    }

    fn handle(&self, input: &mut Input<'_>) -> u64 {
        let any = |handles: &[u64], place: u8| handles.get(usize::from(place) % handles.len().max(1)).copied();
        match input.byte() {
            255 => 0,
            254 => input.number() as u64,
            place @ 240..=253 => any(&self.closed, place).unwrap_or(0),
            place => any(&self.open, place).unwrap_or(0),
        }
    }

    /// What a reader must find under a key.
    fn stored(&self, kind: &str, key: &str) -> Option<Row> {
        codec::read(&self.table.raw(kind, key)?).ok()
    }
}

/// Any sequence of calls on one table, by several handles, with arguments right and wrong, other writers in between:
/// every call ends with a code that is no bug, changes no out-param without saying so, and what is read without a cache
/// is what stands in the table; no upsert makes a version smaller. What is handed out is freed once.
pub fn abi(data: &[u8]) {
    let mut input = Input(data);
    let mut session = Session { table: Arc::default(), open: Vec::new(), closed: Vec::new() };
    session.open(false);
    for _ in 0..24 {
        if input.is_over() {
            break;
        }
        one_call(&mut session, &mut input);
    }
    for handle in session.open {
        // SAFETY: a number is all it takes.
        assert_eq!(checked(|error| unsafe { store_close(handle, error) }).0, codes::STORE_OK);
    }
}

fn one_call<'a>(session: &mut Session, input: &mut Input<'a>) {
    match input.byte() % 20 {
        0 => session.open(input.byte() % 2 == 1),
        1 => {
            let handle = session.handle(input);
            // SAFETY: a number is all it takes.
            let (code, _) = checked(|error| unsafe { store_close(handle, error) });
            assert_eq!(code == codes::STORE_OK, session.open.contains(&handle));
            session.open.retain(|open| *open != handle);
            session.closed.push(handle);
        }
        2 => {
            let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty());
            let (kind, key) = (Text::kind(input).says, Text::key(input).says);
            let (version, item) = (text(input.bytes()), Text::payload(input).says);
            if let (Some(kind), Some(key)) = (kind, key) {
                session.table.insert(kind, key, version, item);
            }
        }
        3 => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let row = BigSegmentRow {
                synchronized_on: Some(text(input.bytes())).filter(|text| !text.is_empty()),
                included: vec![text(input.bytes())],
                excluded: vec![text(input.bytes()), "a".into()],
            };
            let place = [("big_segments_user", "a"), ("big_segments_metadata", "big_segments_metadata")]
                [usize::from(input.byte() % 2)];
            session.table.insert_big_segment(place.0, place.1, row);
        }
        4..=6 => upsert(session, input),
        7..=9 => get(session, input),
        10 => get_all(session, input),
        11 => {
            let (handle, given) = (session.handle(input), Given::any(input));
            let (first, length) = (given.collections.as_ptr(), given.collections.len());
            // SAFETY: as in `init_structs`.
            let code = report(input, |report, error| unsafe { store_init(handle, first, length, report, error) });
            assert!(code != codes::STORE_OK || given.says.is_some());
        }
        12 => {
            let usual = [
                r#"{"flags":{"a":{"version":1},"b":{"version":2,"deleted":true}}}"#,
                r#"{"path":"/","data":{"flags":{"a":{"version":5,"prerequisites":[{"key":"b"}]}},"segments":{"c":{"version":1}}}}"#,
                "{}",
            ];
            let (handle, json) = (session.handle(input), Text::any(input, &usual));
            // SAFETY: the text is as it says, or refused.
            report(input, |report, error| unsafe { store_init_json(handle, json.pointer, json.length, report, error) });
        }
        13 => numbers(session, input),
        14 => big_segments(session, input),
        15 => {
            let handle = session.handle(input);
            let place = input.byte();
            let mut json = std::ptr::null_mut();
            // SAFETY: the out-param is live or NULL; what comes out is freed once.
            unsafe {
                checked(|error| store_statistics(handle, or_null(place, &mut json), error));
                store_string_free(json);
                checked(|error| store_clear_cache(handle, error));
            }
        }
        16 => events(session, input),
        17 => without_blocking(session, input),
        18 => queues(session, input),
        _ => nothing_to_free(i32::try_from(input.number()).unwrap_or(i32::MAX)),
    }
}

/// An out-param, or NULL now and then.
fn or_null<T>(choice: u8, place: &mut T) -> *mut T {
    if choice >= 250 { std::ptr::null_mut() } else { place }
}

fn upsert(session: &Session, input: &mut Input<'_>) {
    let handle = session.handle(input);
    let (kind, key, item) = (Text::kind(input), Text::key(input), Text::payload(input));
    let (version, deleted) = (input.number(), i32::from(input.byte() % 3) - 1);
    let before = kind.says.zip(key.says).and_then(|(kind, key)| session.stored(kind, key));
    let (mut stored, place) = (StoreItem::empty(), input.byte());
    // SAFETY: every text is as it says, or refused; the out-param is live or NULL.
    let (code, _) = checked(|error| unsafe {
        store_upsert(
            handle,
            kind.pointer,
            kind.length,
            key.pointer,
            key.length,
            version,
            deleted,
            item.pointer,
            item.length,
            or_null(place, &mut stored),
            error,
        )
    });
    assert!(code == codes::STORE_NEWER_EXISTS || stored.owner.is_null());
    if let (Some(kind), Some(key)) = (kind.says, key.says) {
        let after = session.stored(kind, key);
        match code {
            codes::STORE_OK => assert_eq!(after.map(|row| row.version), Some(version)),
            _ => assert_eq!(after, before, "nothing was written"),
        }
        if code == codes::STORE_NEWER_EXISTS && !stored.owner.is_null() {
            assert_eq!(row_of(&stored), before.or_else(|| row_of(&stored)), "the stored row comes back");
        }
    }
    free(&mut stored);
}

fn get(session: &Session, input: &mut Input<'_>) {
    let handle = session.handle(input);
    let (kind, key) = (Text::kind(input), Text::key(input));
    let (mut item, place) = (StoreItem::empty(), input.byte());
    // SAFETY: every text is as it says, or refused; the out-param is live or NULL.
    let (code, _) = checked(|error| unsafe {
        store_get(handle, kind.pointer, kind.length, key.pointer, key.length, or_null(place, &mut item), error)
    });
    assert_eq!(code == codes::STORE_OK, !item.owner.is_null());
    if let (Some(kind), Some(key), true) = (kind.says, key.says, code >= 0 && is_uncached(handle)) {
        assert_eq!(row_of(&item), session.stored(kind, key));
    }
    free(&mut item);
}

fn is_uncached(handle: u64) -> bool {
    handles::get(handle).is_ok_and(|store| !store.options().cache.enabled())
}

fn get_all(session: &Session, input: &mut Input<'_>) {
    let handle = session.handle(input);
    let (kind, place) = (Text::kind(input), input.byte());
    let (mut items, mut first, mut count) = (std::ptr::null_mut(), std::ptr::null(), 0);
    // SAFETY: the text is as it says, or refused; the out-params are live or NULL; the list is freed once.
    unsafe {
        let (code, _) =
            checked(|error| store_get_all(handle, kind.pointer, kind.length, or_null(place, &mut items), error));
        assert_eq!(code == codes::STORE_OK, !items.is_null());
        let (viewed, _) = checked(|error| store_items_view(items, &raw mut first, &raw mut count, error));
        assert_eq!(viewed == codes::STORE_OK, code == codes::STORE_OK);
        if count > 0 {
            for item in std::slice::from_raw_parts(first, count) {
                let row = row_of(item).expect("an item has a key");
                assert!(!is_uncached(handle) || session.stored(kind.says.expect("text"), &row.key) == Some(row));
                let mut copy = StoreItem { ..std::ptr::read(item) };
                // One inside a list stays.
                store_item_free(&raw mut copy);
            }
        }
        store_items_free(items);
    }
}

/// The row that an item shows, read to the last byte.
fn row_of(item: &StoreItem) -> Option<Row> {
    if item.key.is_null() {
        return None;
    }
    // SAFETY: the library filled it, and what it points to lives until it is freed.
    let text = |pointer: *const c_char, length| unsafe {
        std::str::from_utf8(std::slice::from_raw_parts(pointer.cast::<u8>(), length)).expect("UTF-8")
    };
    assert_eq!(item.item.is_null(), item.deleted == 1);
    assert!((0..=1).contains(&item.deleted) && item.stale == 0 && item.version >= 0);
    let payload =
        if item.deleted == 1 { Payload::Tombstone } else { Payload::Live(text(item.item, item.item_len).into()) };
    Some(Row { key: text(item.key, item.key_len).into(), version: item.version, payload })
}

fn free(item: &mut StoreItem) {
    // SAFETY: the library filled it or nobody did; freeing twice is allowed.
    unsafe {
        store_item_free(item);
        store_item_free(item);
    }
}

fn report(input: &mut Input<'_>, init: impl FnOnce(*mut *mut c_char, *mut StoreError) -> i32) -> i32 {
    let (mut report, place) = (std::ptr::null_mut(), input.byte());
    let wanted = or_null(place, &mut report);
    let (code, _) = checked(|error| init(wanted, error));
    assert_eq!(code == codes::STORE_OK && !wanted.is_null(), !report.is_null());
    // SAFETY: NULL, or a string of the library, freed once.
    unsafe { store_string_free(report) };
    code
}

fn numbers(session: &Session, input: &mut Input<'_>) {
    let (handle, place) = (session.handle(input), input.byte());
    let (mut initialized, mut milliseconds) = (7, 7);
    // SAFETY: the out-params are live or NULL.
    unsafe {
        let (code, _) = checked(|error| store_initialized(handle, or_null(place, &mut initialized), error));
        assert_eq!(code == codes::STORE_OK, initialized != 7);
        let (code, _) = checked(|error| store_big_segments_metadata(handle, or_null(place, &mut milliseconds), error));
        assert!(code == codes::STORE_OK || milliseconds == 7);
        let (code, _) = checked(|error| store_available(handle, error));
        assert_eq!(code == codes::STORE_OK, session.open.contains(&handle));
    }
}

fn big_segments(session: &Session, input: &mut Input<'_>) {
    let (handle, hash, place) = (session.handle(input), Text::key(input), input.byte());
    let (mut membership, mut segment, mut length, mut included) = (std::ptr::null_mut(), std::ptr::null(), 0, 7);
    // SAFETY: the text is as it says, or refused; the out-params are live or NULL; the membership is freed once.
    unsafe {
        let (code, _) = checked(|error| {
            store_big_segments_membership(handle, hash.pointer, hash.length, or_null(place, &mut membership), error)
        });
        assert_eq!(code == codes::STORE_OK, !membership.is_null());
        let count = store_membership_count(membership);
        for at in [0, 1, count, usize::MAX] {
            let (code, _) = checked(|error| {
                store_membership_entry(membership, at, &raw mut segment, &raw mut length, &raw mut included, error)
            });
            assert_eq!(code == codes::STORE_OK, at < count);
            if code == codes::STORE_OK {
                std::str::from_utf8(std::slice::from_raw_parts(segment.cast::<u8>(), length)).expect("UTF-8");
            }
        }
        store_membership_free(membership);
    }
}

unsafe extern "C" fn hear(user_data: *mut c_void, level: i32, message: *const c_char, length: usize) {
    // SAFETY: `events` hands over a counter that outlives the registration; the text lives during the call.
    unsafe {
        assert!((1..=4).contains(&level));
        std::str::from_utf8(std::slice::from_raw_parts(message.cast::<u8>(), length)).expect("UTF-8");
        *(*user_data.cast::<Mutex<u64>>()).lock().expect("nobody panicked") += 1;
    }
}

fn events(session: &Session, input: &mut Input<'_>) {
    let (handle, place) = (session.handle(input), input.byte());
    let heard = Box::new(Mutex::new(0_u64));
    let (mut level, mut message) = (7, std::ptr::null_mut());
    // SAFETY: the out-params are live or NULL; the counter outlives the registration; what comes out is freed once.
    unsafe {
        let (code, _) = checked(|error| store_next_event(handle, or_null(place, &mut level), &raw mut message, error));
        assert_eq!(code == codes::STORE_OK, !message.is_null());
        store_string_free(message);
        let counter = (&raw const *heard).cast_mut().cast();
        checked(|error| store_set_logger(handle, Some(hear), counter, error));
        get(session, input);
        checked(|error| store_set_logger(handle, None, std::ptr::null_mut(), error));
    }
}

unsafe extern "C" fn done(user_data: *mut c_void, result: *mut StoreResult) {
    // SAFETY: `without_blocking` hands over a sender for exactly this call.
    let sender = unsafe { Box::from_raw(user_data.cast::<SyncSender<usize>>()) };
    sender.send(result as usize).expect("awaited");
}

/// Longer than any call may take, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Any asynchronous call, ending in a function or in a queue, cancelled or not: it ends once, or is refused.
fn without_blocking(session: &Session, input: &mut Input<'_>) {
    let (handle, which, ends_in) = (session.handle(input), input.byte(), input.byte());
    let (kind, key, item) = (Text::kind(input), Text::key(input), Text::payload(input));
    let (sender, receiver): (_, Receiver<usize>) = sync_channel(1);
    let sender: *mut SyncSender<usize> = Box::into_raw(Box::new(sender));
    let done = (ends_in < 150).then_some(done as unsafe extern "C" fn(_, _));
    let queue = (150..250).contains(&ends_in).then(|| queue_of(handle));
    let given = Given::any(input);
    let (mut number, user_data) = (0, sender.cast::<c_void>());
    let call = or_null(input.byte(), &mut number);
    // SAFETY: every text is as it says, or refused; the sender lives until the call has ended.
    let (code, _) = checked(|error| unsafe {
        let (kind, kind_len, key, key_len) = (kind.pointer, kind.length, key.pointer, key.length);
        match which % 6 {
            0 => store_get_async(handle, kind, kind_len, key, key_len, done, user_data, call, error),
            1 => store_get_all_async(handle, kind, kind_len, done, user_data, call, error),
            2 => {
                let (item, item_len, version) = (item.pointer, item.length, i64::from(which));
                store_upsert_async(
                    handle, kind, kind_len, key, key_len, version, 0, item, item_len, done, user_data, call, error,
                )
            }
            3 => {
                let (first, length) = (given.collections.as_ptr(), given.collections.len());
                store_init_async(handle, first, length, done, user_data, call, error)
            }
            4 => store_init_json_async(handle, item.pointer, item.length, done, user_data, call, error),
            _ => store_initialized_async(handle, done, user_data, call, error),
        }
    });
    let cancels = input.byte() % 2 == 1;
    if cancels && number != 0 {
        // SAFETY: a number is all it takes.
        assert_eq!(checked(|error| unsafe { store_cancel(number, error) }).0, codes::STORE_OK);
    }
    if code == codes::STORE_OK {
        let result = match queue {
            None => receiver.recv_timeout(PATIENCE).expect("one callback, in time") as *mut StoreResult,
            Some(queue) => {
                let (taken, result) = taken_from(queue).expect("in the queue, in time");
                assert_eq!(taken, user_data);
                result
            }
        };
        // SAFETY: it was handed over just now, and not freed.
        assert!(cancels || unsafe { store_result_code(result) } != codes::STORE_CANCELLED);
        look_at(result);
    }
    if code != codes::STORE_OK || queue.is_some() {
        // SAFETY: refused, or handed through, so that nobody else has it.
        drop(unsafe { Box::from_raw(sender) });
    }
    if let Some(queue) = queue {
        assert!(taken_from_at_once(queue).is_none(), "it ended once");
        // SAFETY: a number is all it takes.
        assert_eq!(checked(|error| unsafe { store_completions_close(queue, error) }).0, codes::STORE_OK);
    }
}

/// A queue that takes what is finished of a store, if that is one.
fn queue_of(store: u64) -> u64 {
    let mut queue = 0;
    // SAFETY: the out-param is live.
    unsafe {
        assert_eq!(checked(|error| store_completions_open(&raw mut queue, error)).0, codes::STORE_OK);
        let (code, _) = checked(|error| store_complete_to(store, queue, error));
        assert!([codes::STORE_OK, codes::STORE_ERROR_INVALID_HANDLE].contains(&code));
    }
    queue
}

fn taken_from(queue: u64) -> Option<(*mut c_void, *mut StoreResult)> {
    take(queue, i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX))
}

fn taken_from_at_once(queue: u64) -> Option<(*mut c_void, *mut StoreResult)> {
    take(queue, 0)
}

fn take(queue: u64, timeout_ms: i64) -> Option<(*mut c_void, *mut StoreResult)> {
    let (mut user_data, mut result) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the out-params are live.
    let (code, _) = checked(|error| unsafe {
        store_completions_next(queue, timeout_ms, &raw mut user_data, &raw mut result, error)
    });
    assert_eq!(code == codes::STORE_OK, !result.is_null());
    (code == codes::STORE_OK).then_some((user_data, result))
}

/// The functions of queues with numbers of all kinds, and places that are there or not.
fn queues(session: &Session, input: &mut Input<'_>) {
    let store = session.handle(input);
    let queue = queue_of(store);
    let number = match input.byte() % 4 {
        0 => queue,
        1 => store,
        2 => 0,
        _ => input.number() as u64,
    };
    let is_open = number == queue;
    let expected = |or| if is_open { or } else { codes::STORE_ERROR_INVALID_HANDLE };
    let (mut user_data, mut result, mut opened) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
    let (first, second, third) = (input.byte(), input.byte(), input.byte());
    // SAFETY: the out-params are live or NULL; nothing comes out, since no call ends here.
    unsafe {
        let (places, no_place) =
            ((or_null(first, &mut user_data), or_null(second, &mut result)), first.max(second) >= 250);
        let (code, _) =
            checked(|error| store_completions_next(number, i64::from(third % 2), places.0, places.1, error));
        let none = if no_place { codes::STORE_ERROR_NULL_ARGUMENT } else { expected(codes::STORE_NOT_FOUND) };
        assert_eq!((code, result.is_null()), (none, true));
        assert_eq!(checked(|error| store_completions_notify(number, -1, error)).0, expected(codes::STORE_OK));
        let (code, _) = checked(|error| store_completions_notify(number, i64::MAX, error));
        assert_eq!(code, codes::STORE_ERROR_INVALID_HANDLE);
        checked(|error| store_complete_to(number, queue, error));
        let (code, _) = checked(|error| store_cancel(number, error));
        assert_eq!(code, codes::STORE_ERROR_INVALID_HANDLE);
        let (code, _) = checked(|error| store_completions_open(or_null(third, &mut opened), error));
        assert_eq!(code == codes::STORE_OK, opened != 0);
        for (open, code) in [(opened, code), (queue, codes::STORE_OK), (queue, codes::STORE_ERROR_INVALID_HANDLE)] {
            if open != 0 {
                assert_eq!(checked(|error| store_completions_close(open, error)).0, code);
            }
        }
    }
}

/// Everything that can be asked of a result, whatever it holds.
fn look_at(result: *mut StoreResult) {
    let (mut item, mut items, mut initialized, mut report) =
        (StoreItem::empty(), std::ptr::null_mut(), 7, std::ptr::null_mut());
    // SAFETY: the result belongs to the callee; the out-params are live; everything is freed once.
    unsafe {
        let code = store_result_code(result);
        let (failure, _) = checked(|error| store_result_error(result, error));
        assert_eq!(failure, code.min(0));
        checked(|error| store_result_item(result, &raw mut item, error));
        checked(|error| store_result_items(result, &raw mut items, error));
        checked(|error| store_result_initialized(result, &raw mut initialized, error));
        checked(|error| store_result_report(result, &raw mut report, error));
        store_result_free(result);
        row_of(&item);
        free(&mut item);
        store_items_free(items);
        store_string_free(report);
    }
}

fn nothing_to_free(number: i32) {
    // SAFETY: NULL is fine everywhere here, and the names are static.
    unsafe {
        store_error_free(std::ptr::null_mut());
        store_item_free(std::ptr::null_mut());
        store_items_free(std::ptr::null_mut());
        store_membership_free(std::ptr::null_mut());
        store_result_free(std::ptr::null_mut());
        store_string_free(std::ptr::null_mut());
        assert_eq!(store_membership_count(std::ptr::null()), 0);
        assert_eq!(store_result_code(std::ptr::null()), codes::STORE_ERROR_NULL_ARGUMENT);
        CStr::from_ptr(store_code_name(number)).to_str().expect("ASCII");
        CStr::from_ptr(store_version()).to_str().expect("ASCII");
    }
}
