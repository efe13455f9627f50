//! What stands around every exported function: no panic gets out, no NULL, bad length or bad text gets in.

use std::ffi::c_char;
use std::panic::AssertUnwindSafe;

use ffi_support::{ErrorCode, ExternError};

use crate::ffi::error::StoreError;
use crate::model::{Code, Error, Result};
use crate::runtime::panics::caught;

/// Longest kind or key that is looked at; DynamoDB's own limits are far below, and their error names the offender.
pub const MAX_NAME_BYTES: usize = 64 * 1024;
/// Longest options text.
pub const MAX_OPTIONS_BYTES: usize = 1024 * 1024;
/// Longest payload or data set: half of what one allocation could hold, so that the largest signed number, a length that
/// is made up, is refused without a look at the bytes.
pub const MAX_TEXT_BYTES: usize = isize::MAX as usize / 2;

/// Runs the body of an exported function. Returns the outcome, or the number of the error that `error` then holds.
pub fn guarded(error: *mut StoreError, body: impl FnOnce() -> Result<i32>) -> i32 {
    let mut external = ExternError::success();
    let mut failure = None;
    let outcome = ffi_support::call_with_result(
        &mut external,
        AssertUnwindSafe(|| match caught(body) {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                let code = ErrorCode::from(FailureCode(error.code));
                failure = Some(error);
                // The message travels beside: ffi-support aborts the process on a NUL in one.
                Err(ExternError::new_error(code, ""))
            }
        }),
    );
    let number = if external.get_code().is_success() { outcome } else { external.get_code().code() };
    // SAFETY: the message was allocated by ffi-support just now and nobody else has seen it.
    unsafe { external.manually_release() };
    if !error.is_null() {
        let detail = failure.as_ref().map_or_else(StoreError::success, StoreError::from_error);
        // SAFETY: not NULL; the header asks for a pointer to a store_error or NULL. It may be uninitialised, so it
        // is written without being read.
        unsafe { error.write(detail) };
    }
    number
}

/// The core's code as ffi-support's, whose number for a panic is reserved and the same as ours.
struct FailureCode(Code);

impl From<FailureCode> for ErrorCode {
    fn from(failure: FailureCode) -> ErrorCode {
        match failure.0 {
            Code::Panic => ErrorCode::PANIC,
            code => ErrorCode::new(code.number()),
        }
    }
}

/// Refuses NULL for an out-param.
pub fn not_null<T>(name: &str, pointer: *const T) -> Result<()> {
    if pointer.is_null() {
        return Err(Error::new(Code::NullArgument, format!("the argument \"{name}\" is NULL")));
    }
    Ok(())
}

/// Text that comes in as pointer and length. NULL with length 0 is the empty text.
///
/// # Safety
/// Unless NULL, `pointer` must be valid for reads of `length` bytes that nobody changes during `'a`.
pub unsafe fn text<'a>(name: &str, pointer: *const c_char, length: usize, most: usize) -> Result<&'a str> {
    if length == 0 {
        return Ok("");
    }
    not_null(name, pointer)?;
    if length > most {
        return Err(Error::new(
            Code::InvalidLength,
            format!("the argument \"{name}\" is said to be {length} bytes long, at most {most} make sense"),
        ));
    }
    // SAFETY: not NULL, and the caller promises `length` readable bytes; `length` is at most isize::MAX.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) };
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8. Keys nearly always are, and the general check costs a tenth of a cached read.
        return Ok(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        Error::new(
            Code::InvalidUtf8,
            format!("the argument \"{name}\" is not UTF-8 from byte {} on: encode text as UTF-8", error.valid_up_to()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::panics;

    #[test]
    fn a_panic_becomes_an_error_without_its_text() {
        panics::silence();
        let mut error = StoreError::success();
        let number = guarded(&raw mut error, || panic!("payload\0 inside"));
        assert_eq!((number, error.code), (-1, -1));
        // SAFETY: call filled it.
        let message = unsafe { std::ffi::CStr::from_ptr(error.message) }.to_string_lossy().into_owned();
        assert!(message.contains(" src/ffi/guard.rs:") && !message.contains("payload"), "{message}");
        // SAFETY: as above, freed once.
        unsafe { error.free() };
        assert_eq!((error.code, error.message.is_null()), (0, true));
    }

    #[test]
    fn an_error_comes_out_with_its_number_and_success_without() {
        let mut error = StoreError::success();
        let number = guarded(&raw mut error, || Err(Error::new(Code::Throttled, "slow\0down")));
        assert_eq!((number, error.retriable), (Code::Throttled.number(), 1));
        // SAFETY: call filled it, freed once.
        unsafe { error.free() };
        assert_eq!(guarded(std::ptr::null_mut(), || Ok(2)), 2);
        assert_eq!(guarded(&raw mut error, || Ok(0)), 0);
        assert!(error.message.is_null());
    }

    #[test]
    fn text_is_checked_before_it_is_read() {
        let check = |pointer: *const c_char, length| {
            // SAFETY: the pointers below are NULL or literals longer than any length that is read.
            unsafe { text("key", pointer, length, 100) }.map_err(|error| error.code)
        };
        assert_eq!(check(std::ptr::null(), 0), Ok(""));
        assert_eq!(check(std::ptr::null(), 1), Err(Code::NullArgument));
        assert_eq!(check(c"x".as_ptr(), usize::MAX), Err(Code::InvalidLength));
        assert_eq!(check(c"\xff\xfe".as_ptr(), 2), Err(Code::InvalidUtf8));
        assert_eq!(check(c"key".as_ptr(), 3), Ok("key"));
    }
}
