//! Plain data and rules, no I/O: rows and their codec, what an init will do, sizes, data sets, options.

pub mod codec;
pub mod conflict;
pub mod content;
pub mod data_set;
pub mod decimal;
pub mod environment;
pub mod error;
pub mod large;
pub mod line;
pub mod namespace;
pub mod options;
pub mod order;
pub mod plan;
pub mod row;
pub mod size;

pub use error::{Code, Error, Result};
