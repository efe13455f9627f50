//! The host's functions that our threads may call, because the host registered them.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::ffi::buffers::{StoreItem, StoreItems, StoreMembership};
use crate::ffi::codes;
use crate::ffi::completions::{self, Finished, Queue};
use crate::ffi::error::c_string;
use crate::ffi::handles::Opened;
use crate::model::options::LogLevel;
use crate::model::{Code, Error, Result};
use crate::runtime;
use crate::store::big_segments::Membership;
use crate::store::events::Logger;
use crate::store::init::{Progress, Report};
use crate::store::{Found, FoundAll, Upserted};

/// Called once for every asynchronous call that was accepted, however it ends, on a thread of the library, never on the
/// calling thread. `result` belongs to the callee, who frees it with `store_result_free`. The function must not block;
/// it may call asynchronous functions and everything that takes a `store_result`.
pub type StoreCallback = Option<unsafe extern "C" fn(user_data: *mut c_void, result: *mut StoreResult)>;

/// Called for every event of a store, on whatever thread it happens, never twice at the same time for one
/// store. `message` is UTF-8, `message_len` bytes, valid during the call. The function must not call the store.
pub type StoreLogger =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char, message_len: usize)>;

/// The outcome of an asynchronous call: opaque, read with the `store_result_…` functions.
pub struct StoreResult {
    outcome: Result<i32>,
    value: Value,
}

/// What an asynchronous call may bring.
enum Value {
    Nothing,
    Item(Found),
    Items(FoundAll),
    Initialized(bool),
    Report(String),
    Metadata(i64),
    Membership(Membership),
}

impl StoreResult {
    /// A row, or none.
    pub fn of_get(result: Result<Option<Found>>) -> Self {
        match result {
            Ok(Some(found)) => StoreResult { outcome: Ok(0), value: Value::Item(found) },
            Ok(None) => StoreResult { outcome: Ok(1), value: Value::Nothing },
            Err(error) => StoreResult::failed(error),
        }
    }

    /// All rows of a kind.
    pub fn of_all(result: Result<FoundAll>) -> Self {
        match result {
            Ok(found) => StoreResult { outcome: Ok(0), value: Value::Items(found) },
            Err(error) => StoreResult::failed(error),
        }
    }

    /// Written, or the reason why not.
    pub fn of_upsert(result: Result<Upserted>) -> Self {
        match result {
            Ok(Upserted::Written) => StoreResult { outcome: Ok(0), value: Value::Nothing },
            Ok(Upserted::NewerExists(row)) => {
                StoreResult { outcome: Ok(2), value: Value::Item(Found { row, stale: false }) }
            }
            Ok(Upserted::TooLarge) => StoreResult { outcome: Ok(3), value: Value::Nothing },
            Err(error) => StoreResult::failed(error),
        }
    }

    /// Whether a data set was stored.
    pub fn of_initialized(result: Result<bool>) -> Self {
        match result {
            Ok(initialized) => StoreResult { outcome: Ok(0), value: Value::Initialized(initialized) },
            Err(error) => StoreResult::failed(error),
        }
    }

    /// What an init did; one that failed or was cancelled, by then.
    pub fn of_init(result: Result<Report>, progress: &Progress) -> Self {
        match result {
            Ok(report) => StoreResult { outcome: Ok(0), value: Value::Report(report.to_json()) },
            Err(error) => StoreResult { outcome: Err(error), value: Value::Report(progress.report().to_json()) },
        }
    }

    /// Whether the table answers.
    pub fn of_available(result: Result<()>) -> Self {
        match result {
            Ok(()) => StoreResult { outcome: Ok(0), value: Value::Nothing },
            Err(error) => StoreResult::failed(error),
        }
    }

    /// When the big segments were last brought up to date, or that they never were.
    pub fn of_metadata(result: Result<Option<i64>>) -> Self {
        match result {
            Ok(Some(milliseconds)) => StoreResult { outcome: Ok(0), value: Value::Metadata(milliseconds) },
            Ok(None) => StoreResult { outcome: Ok(1), value: Value::Nothing },
            Err(error) => StoreResult::failed(error),
        }
    }

    /// The big segments that name a context, or that none does.
    pub fn of_membership(result: Result<Option<Membership>>) -> Self {
        match result {
            Ok(Some(membership)) => StoreResult { outcome: Ok(0), value: Value::Membership(membership) },
            Ok(None) => StoreResult { outcome: Ok(1), value: Value::Nothing },
            Err(error) => StoreResult::failed(error),
        }
    }

    fn failed(error: Error) -> Self {
        StoreResult { outcome: Err(error), value: Value::Nothing }
    }

    /// The number the blocking form would have returned.
    pub fn code(&self) -> i32 {
        match &self.outcome {
            Ok(outcome) => *outcome,
            Err(error) => error.code.number(),
        }
    }

    /// The error, if it failed.
    pub fn error(&self) -> Option<&Error> {
        self.outcome.as_ref().err()
    }

    /// The item, if there is one.
    pub fn item(&self) -> Result<Option<StoreItem>> {
        match &self.value {
            Value::Item(found) => Ok(Some(StoreItem::owning(found.clone()))),
            Value::Nothing => Ok(None),
            _ => Err(wrong_kind("an item")),
        }
    }

    /// The list of a get_all.
    pub fn items(&self) -> Result<*mut StoreItems> {
        match &self.value {
            Value::Items(found) => Ok(StoreItems::into_raw(found.clone())),
            _ => Err(wrong_kind("a list of items")),
        }
    }

    /// The answer of an initialized.
    pub fn initialized(&self) -> Result<bool> {
        match &self.value {
            Value::Initialized(initialized) => Ok(*initialized),
            _ => Err(wrong_kind("an answer to store_initialized_async")),
        }
    }

    /// The time of a big_segments_metadata.
    pub fn metadata(&self) -> Result<i64> {
        match &self.value {
            Value::Metadata(milliseconds) => Ok(*milliseconds),
            _ => Err(wrong_kind("an answer to store_big_segments_metadata_async")),
        }
    }

    /// The segments of a big_segments_membership.
    pub fn membership(&self) -> Result<*mut StoreMembership> {
        match &self.value {
            Value::Membership(membership) => Ok(StoreMembership::into_raw(membership.clone())),
            _ => Err(wrong_kind("an answer to store_big_segments_membership_async")),
        }
    }

    /// The report of an init.
    pub fn report(&self) -> Result<*mut c_char> {
        match &self.value {
            Value::Report(report) => Ok(c_string(report)),
            _ => Err(wrong_kind("a report of store_init_async")),
        }
    }
}

fn wrong_kind(wanted: &str) -> Error {
    Error::new(
        Code::NullArgument,
        format!("the argument \"result\" holds no {wanted}: look at store_result_code first"),
    )
}

/// A function of the host with its data.
struct Registered<F> {
    function: F,
    user_data: *mut c_void,
}

// SAFETY: the header says that callbacks come on other threads; what `user_data` points to is the host's to guard.
unsafe impl<F: Send> Send for Registered<F> {}
// SAFETY: as above, and the fields are only read.
unsafe impl<F: Sync> Sync for Registered<F> {}

/// Where the outcome of an asynchronous call goes: to a function of the host, or, without one, to the queue that the store's
/// handle completes to.
pub fn completion(
    store: &Opened,
    done: StoreCallback,
    user_data: *mut c_void,
) -> Result<impl FnOnce(StoreResult) + Send + 'static> {
    let end = match done {
        Some(function) => End::Function(Registered { function, user_data }),
        None => End::Queue(queue_of(store)?, Registered { function: (), user_data }),
    };
    Ok(move |result: StoreResult| {
        let result = Box::new(result);
        match end {
            End::Function(registered) => {
                let result = Box::into_raw(result);
                // SAFETY: the host registered this function for exactly this call, and takes ownership of the result.
                runtime::outside(|| unsafe { (registered.function)(registered.user_data, result) });
            }
            End::Queue(queue, registered) => queue.push(Finished { user_data: registered.user_data, result }),
        }
    })
}

/// Where an asynchronous call ends.
enum End {
    Function(Registered<unsafe extern "C" fn(*mut c_void, *mut StoreResult)>),
    Queue(Arc<Queue>, Registered<()>),
}

fn queue_of(store: &Opened) -> Result<Arc<Queue>> {
    match store.completes_to().load(Ordering::Relaxed) {
        0 => Err(Error::new(
            Code::NullArgument,
            "the argument \"done\" is NULL, and no completion queue takes this store's finished calls: pass a function, or call store_complete_to first",
        )),
        queue => completions::get(queue).map_err(|error| {
            error.during("the argument \"done\" is NULL, and the queue that takes this store's finished calls is gone")
        }),
    }
}

/// Turns a logger callback into a logger of the core; NULL is none.
pub fn logger(callback: StoreLogger, user_data: *mut c_void) -> Option<Box<Logger>> {
    let registered = Registered { function: callback?, user_data };
    Some(Box::new(move |level: LogLevel, message: &str| {
        let registered = &registered;
        // SAFETY: the host registered this function; the text lives until it returns.
        runtime::outside(|| unsafe {
            (registered.function)(registered.user_data, codes::level(level), message.as_ptr().cast(), message.len());
        });
    }))
}
