//! Where the system has no owners and modes of files as Unix has them, no directory is private: there is none to use.

use std::path::Path;
use std::time::Duration;

/// Why there is no directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What could not be done.
    pub kind: &'static str,
    /// The whole sentence.
    pub message: String,
}

type Outcome<T> = Result<T, Trouble>;

/// Refused, as opening one is.
pub fn look(_: &Path, _: u32) -> Outcome<Option<(usize, u64)>> {
    Err(Trouble { kind: "used", message: "there is no cache of the host on this system".into() })
}

/// There is none.
#[derive(Debug)]
pub enum Directory {}

impl Directory {
    /// Refused.
    pub fn open(_: &Path, _: &str, _: u64, _: u32) -> Outcome<Directory> {
        Err(Trouble { kind: "used", message: "there is no cache of the host on this system".into() })
    }

    /// Never called, as are the others.
    pub fn read(&self, _: &str) -> Outcome<Option<Vec<u8>>> {
        match *self {}
    }

    #[allow(missing_docs)]
    pub fn replace(&self, _: &str, _: &[u8]) -> Outcome<()> {
        match *self {}
    }

    #[allow(missing_docs)]
    pub fn clear(&self) -> Outcome<()> {
        match *self {}
    }

    #[allow(missing_docs)]
    pub fn claim(&self, _: &str, _: Duration) -> Outcome<bool> {
        match *self {}
    }

    #[allow(missing_docs)]
    pub fn give_back(&self, _: &str) {
        match *self {}
    }
}
