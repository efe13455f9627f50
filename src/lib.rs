#![cfg_attr(not(feature = "client"), allow(dead_code))]
//! x
#[cfg(feature = "client")]
pub mod model;
