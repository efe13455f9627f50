//! Panics: contained wherever the library runs code, silent, and named by their place in the source.
//!
//! The text of a panic can quote a payload, and the compiler's path of a file says where somebody built the library.
//! So what becomes of a panic is the place alone: a file of this crate, or one of a dependency by its crate's name.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{Code, Error, Result};

thread_local! {
    /// Where in the source this thread panicked last.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs something that may panic; a panic becomes an error that names the place.
pub fn caught<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(of_panic(panic)))
}

/// What is said of a panic that was caught on this thread.
pub fn of_panic(panic: Box<dyn Any + Send>) -> Error {
    // What a panic carries may panic when it is dropped, and is nobody's business.
    std::mem::forget(panic);
    let place = PANICKED_AT.try_with(RefCell::take).unwrap_or_default();
    if is_of_driver(&place) {
        return super::given_up();
    }
    let place = if place.is_empty() { "an unknown place".to_owned() } else { place };
    Error::new(Code::Panic, format!("a bug in flagstore {} at {place}: please report it", env!("CARGO_PKG_VERSION")))
}

/// Whether it is tokio that lost the descriptors it works with.
fn is_of_driver(place: &str) -> bool {
    place.starts_with("tokio-") && place.contains("/runtime/io/driver.rs:")
}

/// A library never prints, and the default hook prints panics to the host's standard error. The shared library
/// has a standard library of its own, so this hook sees only the library's own panics.
pub fn silence() {
    static SILENCED: AtomicBool = AtomicBool::new(false);
    if SILENCED.swap(true, Ordering::Relaxed) {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!("{}:{}", in_crate(at.file()), at.line())).unwrap_or_default();
        if is_of_driver(&place) {
            super::driver_panicked();
        }
        let _ = PANICKED_AT.try_with(|last| *last.borrow_mut() = place);
    }));
}

/// A source file without the folders of the machine that built it: `src/…` for this crate's, `crate-version/…` for a
/// dependency's, `library/…` for the standard library's.
fn in_crate(file: &str) -> String {
    let parts: Vec<&str> = file.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    // A dependency's sources lie in `registry/src/<index>/<crate>/`, or `git/checkouts/<repository>/<revision>/`.
    let below = |folders: &[&str], skipped: usize| {
        let at = parts.windows(folders.len()).position(|window| window == folders)?;
        parts.get(at + folders.len() + skipped..).filter(|rest| rest.len() > 1)
    };
    let from = |folder: &str| parts.iter().rposition(|part| *part == folder).and_then(|at| parts.get(at..));
    let rest = below(&["registry", "src"], 1)
        .or_else(|| below(&["git", "checkouts"], 0))
        .or_else(|| below(&["vendor"], 0))
        .or_else(|| from("library"))
        .or_else(|| from("src"))
        .or_else(|| parts.last().map(std::slice::from_ref));
    rest.unwrap_or_default().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_folder_of_the_machine_that_built_it() {
        for (file, place) in [
            ("src/store/mod.rs", "src/store/mod.rs"),
            ("/builds/ci/flagstore/src/ffi/guard.rs", "src/ffi/guard.rs"),
            (
                "/home/somebody/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.54.1/src/runtime/io/driver.rs",
                "tokio-1.54.1/src/runtime/io/driver.rs",
            ),
            (
                "C:\\Users\\somebody\\.cargo\\registry\\src\\index.crates.io-6f17d22bba15001f\\mio-1.0.4\\src\\poll.rs",
                "mio-1.0.4/src/poll.rs",
            ),
            ("/home/somebody/.cargo/git/checkouts/thing-ab/12cd/src/lib.rs", "thing-ab/12cd/src/lib.rs"),
            ("/somewhere/vendor/hyper/src/client.rs", "hyper/src/client.rs"),
            (
                "/rustc/29483883eed69d5fb4db01964cdf2af4d86e9cb2/library/core/src/option.rs",
                "library/core/src/option.rs",
            ),
            ("/home/somebody/build.rs", "build.rs"),
            ("", ""),
        ] {
            assert_eq!(in_crate(file), place, "{file}");
        }
    }

    #[test]
    fn a_panic_is_an_error_that_names_its_place_and_quotes_nothing() {
        silence();
        let error = caught::<()>(|| panic!("payload")).expect_err("it panicked");
        assert_eq!(error.code, Code::Panic);
        assert!(error.message.contains(" at src/runtime/panics.rs:"), "{error}");
        assert!(!error.message.contains("payload"), "{error}");
        assert_eq!(caught(|| Ok(7)), Ok(7));
    }
}
