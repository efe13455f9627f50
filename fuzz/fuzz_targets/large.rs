//! See `large` in `src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flagstore::fuzzing::large(data));
