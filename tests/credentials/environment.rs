//! Who looks at the environment, and when. While one thread is in `getenv`, another that sets a variable may free what the
//! first reads; so the library does it when a store is opened, on the thread that opens it, and never again.
//!
//! This program's own `getenv` stands before the C library's, for everything but the C library itself.

use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether questions are remembered.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// What was asked for while it was watched.
static ASKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// As the C library's, and remembers.
///
/// # Safety
///
/// As for the C library's: `name` is a string, and nobody changes the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getenv(name: *const c_char) -> *const c_char {
    // SAFETY: the caller gives a string; the environment is a list of strings that ends with a null pointer.
    unsafe {
        let wanted = CStr::from_ptr(name).to_bytes();
        if WATCHED.load(Ordering::SeqCst) {
            let thread = std::thread::current().name().unwrap_or("a thread without a name").to_owned();
            let asked = format!("{} on {thread}", String::from_utf8_lossy(wanted));
            ASKED.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        }
        let mut variable = environ;
        while !variable.is_null() && !(*variable).is_null() {
            let text = CStr::from_ptr(*variable).to_bytes();
            if text.len() > wanted.len() && text.starts_with(wanted) && text[wanted.len()] == b'=' {
                return (*variable).add(wanted.len() + 1);
            }
            variable = variable.add(1);
        }
        std::ptr::null()
    }
}

/// From here on nobody should ask.
pub fn watch() {
    WATCHED.store(true, Ordering::SeqCst);
}

/// Nobody asked, on any thread.
pub fn expect_nobody_asked() {
    let asked = asked();
    assert!(asked.is_empty(), "variables were looked for after the store was opened: {asked:?}");
}

fn asked() -> Vec<String> {
    WATCHED.store(false, Ordering::SeqCst);
    std::mem::take(&mut *ASKED.lock().unwrap_or_else(PoisonError::into_inner))
}

#[test]
fn questions_are_seen() {
    watch();
    assert_eq!(std::env::var_os("NOBODY_SETS_THIS"), None);
    // Other tests of this process may have asked for something as well.
    assert!(asked().iter().any(|question| question.starts_with("NOBODY_SETS_THIS on ")));
    let listed = std::env::vars_os().any(|(name, _)| name == "PATH");
    assert_eq!(std::env::var_os("PATH").is_some(), listed, "the values are the C library's");
}
