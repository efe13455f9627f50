//! DynamoDB as the persistent data store of LaunchDarkly's Rust server-side SDK, which has no integration of its own.
//!
//! ```no_run
//! use flagstore_launchdarkly::DynamoDb;
//! use launchdarkly_server_sdk::ConfigBuilder;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ConfigBuilder::new("sdk-key")
//!     .data_store(&DynamoDb::table("flags").prefix("my-app").data_store())
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! The table, its rows and what a write means are those of every other LaunchDarkly SDK and of the Relay Proxy: all may
//! share one table. Credentials and region are found where every AWS SDK looks, unless [`DynamoDb`] is given them.
//!
//! # Threads and blocking
//!
//! The SDK's data store is a blocking interface, so a read that neither the SDK's cache nor this store can answer waits, on
//! the calling thread, for DynamoDB: 5 seconds at most unless [`DynamoDb::timeout`] says otherwise, and 250 milliseconds
//! where something can stand in. The requests themselves run on two threads of the store's own, in no runtime of yours, so
//! that a store may be made, used and dropped inside tokio or without it.
//!
//! # When DynamoDB is away
//!
//! What LaunchDarkly sent stands in for rows that cannot be read, and what could not be written is written when the table
//! is back ([`DynamoDb::keep_told`], on by default). With [`DynamoDb::cache_dir`] the processes of a host share what they
//! read, and a process that starts in an outage has its flags.
//!
//! # Logs
//!
//! Through the [`log`] crate, as the SDK's own, with the target `flagstore`. No credential and no payload is in them.
//!
//! # Not promised
//!
//! A child that is forked without `exec` must open a store of its own. Big segments: the Rust SDK has none.

mod data_store;
mod options;
mod readable;

pub use data_store::DataStore;
pub use flagstore::model::{Code, Error};
pub use flagstore::store::doctor::{Finding, Level, Report};
pub use options::DynamoDb;
