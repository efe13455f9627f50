//! The crate against `flagstore-local` and with the SDK itself; `make test-rust` builds what it needs.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod data_store;
mod doctor;
mod evaluations;
mod local;
mod readme;
