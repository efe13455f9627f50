//! Why there are no credentials.

use std::fmt;

/// Why credentials could not be loaded, in words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFailure {
    /// What sort of failure it is.
    pub kind: LoadFailureKind,
    /// What happened, to be read after "loading the credentials failed": no credential, no line of a file, no answer of
    /// a server beyond the name and the text of an error.
    pub why: String,
}

/// The sorts of failure, by what can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadFailureKind {
    /// No source has any.
    NotFound,
    /// What is there cannot be used: a damaged file, half of a pair of keys, a profile that is not there.
    Misconfigured,
    /// A source says that this caller gets none.
    Refused,
    /// A source did not answer in time.
    TimedOut,
    /// A source could not be reached.
    Unreachable,
    /// A source reported a fault of its own, was throttled, or is a program that failed.
    Failing,
}

impl LoadFailure {
    /// A failure with its words.
    pub fn new(kind: LoadFailureKind, why: impl AsRef<str>) -> Self {
        LoadFailure { kind, why: on_one_line(why.as_ref()) }
    }
}

impl LoadFailureKind {
    /// Whether it can pass without anyone changing anything.
    pub fn passes(self) -> bool {
        matches!(self, LoadFailureKind::TimedOut | LoadFailureKind::Unreachable | LoadFailureKind::Failing)
    }
}

/// A text whose line breaks and other control characters are escaped: names of files and profiles may have any.
pub fn on_one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, letter| {
        if letter.is_control() {
            line.extend(letter.escape_default())
        } else {
            line.push(letter)
        }
        line
    })
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for LoadFailure {}
