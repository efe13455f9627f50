//! The LaunchDarkly DynamoDB feature store, once, for every language.
//!
//! The C ABI in [`abi`] is the product; its conventions and functions are documented in `include/flagstore.h`, which
//! is generated from here. Rust programs may use [`store::Store`] directly, as long as they neither fork nor
//! close descriptors that are not theirs.
//!
//! How the house is built, each floor knowing only the floors below it:
//!
//! ```text
//! bindings/*      one folder per language; only the header connects them to Rust
//! src/abi.rs      every exported function: thin, documented, nothing else is exported
//! src/ffi/        the boundary: guard (panic, NULL, UTF-8), error, handles, buffers, callbacks, queues of finished calls
//! src/store/      the store's meaning: calls, read_through (what a read does: cache, flights, breaker, floors), upsert, init and
//!                 its report, what the store was told and writes again, the files of the host, big segments, events, statistics;
//!                 doctor, which looks for what is wrong and never writes
//! src/dynamo/     DynamoDB: client from options, credentials, pool and names, signed requests and their answers, conditions;
//!                 retry, what it may spend (budget), how much is in flight, pace; failures and refusals
//! src/model/      rows and their codec, the deflated form of large ones, plan of an init, contents and conflicts, order, sizes,
//!                 options: plain data and rules, no I/O
//! src/runtime.rs  the process's tokio runtime: lazy, signals masked, replaced when dead; each call's one outcome, also when it is
//!                 cancelled; a host's descriptor that is written to
//! src/fork.rs     fork handlers and their order; everybody else offers freeze, thaw and renew
//! src/stripes.rs  state that threads read without writing to each other's cache lines
//! src/numbers.rs  the numbers that stand for stores, queues and calls: none comes twice, each tells its kind
//! src/bin/        the programs: flagstore for the person on call, flagstore-local for development and tests
//! ```
//!
//! `unsafe` stands in `abi`, `ffi`, `runtime` and `fork` only, and in `fuzzing`, which calls the ABI as C would and is built for
//! tests alone.
#![cfg(feature = "client")]
#![cfg_attr(
    not(all(unix, not(miri))),
    allow(dead_code, reason = "freeze, thaw and renew are for forks, and only Unix forks")
)]

pub mod abi;
#[forbid(unsafe_code)]
mod dynamo;
mod ffi;
#[cfg(all(unix, not(miri)))]
mod fork;
#[cfg(not(all(unix, not(miri))))]
#[path = "no_fork.rs"]
mod fork;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[forbid(unsafe_code)]
pub mod model;
#[forbid(unsafe_code)]
mod numbers;
mod runtime;
#[forbid(unsafe_code)]
pub mod store;
#[forbid(unsafe_code)]
mod stripes;
