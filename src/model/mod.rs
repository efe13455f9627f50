//! Plain data and rules, no I/O: rows, tombstones, sizes, data sets, options.

pub mod content;
pub mod data_set;
pub mod error;
pub mod line;
pub mod namespace;
pub mod options;
pub mod order;
pub mod row;
pub mod size;
pub mod tombstone;

pub use error::{Code, Error, Result};
