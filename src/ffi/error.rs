//! The error that a caller owns.

use std::ffi::{CString, c_char};

use crate::model::Error;
use crate::model::line::one_line;

/// What went wrong. The caller owns the struct; the library fills it when a function returns a negative number.
///
/// Every function that can fail takes a pointer to one, as its last argument, or NULL where the number is
/// enough. The struct need not be initialised: it is overwritten at every call, without reading what it held.
/// After a failure free the message with `store_error_free`, before the struct is used again.
#[repr(C)]
#[derive(Debug)]
pub struct StoreError {
    /// The number that the function returned: 0 after success and after an outcome.
    pub code: i32,
    /// 1 if the same call may succeed later without anyone changing anything, else 0.
    pub retriable: i32,
    /// What was attempted, what happened, what to do: UTF-8, ends with NUL, never holds a credential or a
    /// payload. NULL after success.
    pub message: *mut c_char,
}

impl StoreError {
    /// No error.
    pub fn success() -> Self {
        StoreError { code: 0, retriable: 0, message: std::ptr::null_mut() }
    }

    /// The C form of an error. Its message must be freed by [`StoreError::free`].
    pub fn from_error(error: &Error) -> Self {
        StoreError {
            code: error.code.number(),
            retriable: i32::from(error.code.retriable()),
            // A key or a server's text may be in it, line breaks and all.
            message: c_string(&one_line(error.message.clone())),
        }
    }

    /// Frees the message and leaves the struct as after success.
    ///
    /// # Safety
    /// The message must be NULL or come from [`StoreError::from_error`], and not have been freed.
    pub unsafe fn free(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { free_c_string(self.message) };
        *self = StoreError::success();
    }
}

/// Text for C. A NUL inside would end it early, so it becomes a space; the rest is what it was.
pub fn c_string(text: &str) -> *mut c_char {
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }).collect();
    CString::new(bytes).unwrap_or_default().into_raw()
}

/// Frees text made by [`c_string`]; NULL is fine.
///
/// # Safety
/// `text` must be NULL or come from [`c_string`], and not have been freed.
pub unsafe fn free_c_string(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: it came from CString::into_raw, by the caller's promise.
        drop(unsafe { CString::from_raw(text) });
    }
}
