//! The boundary: everything that can go wrong between C and Rust goes wrong here.
//!
//! Nothing above this floor touches a raw pointer, and nothing below it has heard of C. ffi-support stays inside
//! this folder: [`guard`] uses its panic boundary and error, [`handles`] its generational handles.

pub mod buffers;
pub mod callbacks;
pub mod codes;
pub mod completions;
pub mod error;
pub mod guard;
pub mod handles;
