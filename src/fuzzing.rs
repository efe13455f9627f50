//! What the fuzz targets in `fuzz/` do with a piece of input. Here, so that `cargo test` runs every checked-in input
//! through the same functions on a stable toolchain; none of it is in the library that is shipped.
//!
//! A target tells of a finding by panicking. What each checks stands at its function; inputs are text wherever that
//! is possible, so that a corpus can be read and written by hand.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a target tells of a finding by panicking")]

mod boundary;
mod payloads;
#[cfg(test)]
mod replay;
mod responses;
mod rows;

pub use boundary::{abi, init_structs, options};
pub use payloads::{content, init_json, tombstone};
pub use responses::{response, wire};
pub use rows::{large, row};

/// A target: what it does with a piece of input.
pub type Target = fn(&[u8]);

/// Every target by the name of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 10] = [
    ("abi", abi),
    ("content", content),
    ("init_json", init_json),
    ("init_structs", init_structs),
    ("large", large),
    ("options", options),
    ("response", response),
    ("row", row),
    ("tombstone", tombstone),
    ("wire", wire),
];

/// Input taken byte by byte, for targets whose input is no text. At its end everything is 0 and empty.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// As many bytes as the first one says.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// A small number mostly, else any or a limit.
    fn number(&mut self) -> i64 {
        match self.byte() {
            255 => i64::from_le_bytes(std::array::from_fn(|_| self.byte())),
            254 => i64::MAX,
            253 => i64::MIN,
            252 => -1,
            small => i64::from(small % 16),
        }
    }
}
