//! What can go wrong, with a stable number, and whether trying again can help.

use std::fmt;

use super::line::one_line;

/// The causes of failure. The numbers are the C ABI's: never reused, never changed.
///
/// Positive numbers are outcomes of a call that went well; these are all negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Code {
    /// A bug in this library, contained at the boundary.
    Panic = -1,
    /// A pointer that must not be NULL is NULL.
    NullArgument = -2,
    /// Text that is not UTF-8.
    InvalidUtf8 = -3,
    /// A length that cannot be that of the thing it measures.
    InvalidLength = -4,
    /// Zero, closed, or never a store.
    InvalidHandle = -5,
    /// More open handles than the library can number.
    TooManyStores = -6,
    /// An option that does not exist.
    UnknownOption = -7,
    /// An option of the wrong JSON type.
    OptionType = -8,
    /// An option out of its range.
    OptionValue = -9,
    /// No table name, or an empty one.
    EmptyTableName = -10,
    /// An empty key; DynamoDB forbids them.
    EmptyKey = -11,
    /// An empty kind.
    EmptyKind = -12,
    /// A key or namespace longer than DynamoDB takes (1,024 and 2,048 bytes).
    KeyTooLong = -13,
    /// A version that is negative, not a whole number, or beyond 64 bits.
    InvalidVersion = -14,
    /// Text that should be JSON of a certain shape and is not.
    InvalidJson = -15,
    /// The same kind or key twice in one data set.
    DuplicateKey = -16,
    /// A live item without a payload.
    EmptyItem = -17,
    /// The table does not exist in this region and account.
    TableNotFound = -30,
    /// The table's key is not `namespace` (S) and `key` (S).
    KeySchema = -31,
    /// The credentials are valid but may not do this.
    AccessDenied = -32,
    /// AWS does not know these credentials, or the signature is wrong.
    InvalidCredentials = -33,
    /// The credentials have expired.
    ExpiredCredentials = -34,
    /// No credentials were found anywhere.
    NoCredentials = -35,
    /// No region was found anywhere.
    NoRegion = -36,
    /// This machine's clock is too far from AWS's.
    ClockSkew = -37,
    /// DynamoDB asked to slow down, for as long as the call could wait.
    Throttled = -38,
    /// The call's deadline passed.
    Timeout = -39,
    /// The endpoint could not be reached, or the connection broke.
    Connection = -40,
    /// DynamoDB (5xx), or a source of credentials, reported a fault of its own.
    Service = -41,
    /// An answer that is not what was asked for.
    UnexpectedResponse = -42,
    /// DynamoDB refused the request for another reason.
    Rejected = -43,
    /// A blocking function was called inside a callback, on a thread that must not block.
    CalledInCallback = -44,
    /// The library's threads could not be started.
    Runtime = -45,
    /// Somebody ended the call before it was over.
    Cancelled = -46,
}

impl Code {
    /// Whether the same call can succeed later without anyone changing anything.
    pub fn retriable(self) -> bool {
        matches!(
            self,
            Code::Throttled
                | Code::Timeout
                | Code::Connection
                | Code::Service
                | Code::UnexpectedResponse
                | Code::Runtime
        )
    }

    /// Whether a value that was read earlier may be served in place of this failure: whatever the reason why DynamoDB
    /// was not asked or did not answer, yes; only where the question itself was wrong, or nobody asks any more, is there
    /// nothing to stand in for.
    pub fn older_may_stand_in(self) -> bool {
        !matches!(
            self,
            Code::NullArgument
                | Code::InvalidUtf8
                | Code::InvalidLength
                | Code::InvalidHandle
                | Code::TooManyStores
                | Code::UnknownOption
                | Code::OptionType
                | Code::OptionValue
                | Code::EmptyTableName
                | Code::EmptyKey
                | Code::EmptyKind
                | Code::KeyTooLong
                | Code::InvalidVersion
                | Code::InvalidJson
                | Code::DuplicateKey
                | Code::EmptyItem
                | Code::CalledInCallback
                | Code::Cancelled
        )
    }

    /// The number that crosses the C ABI.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// Every code, for tests and for looking one up by number.
    pub const ALL: [Code; 34] = [
        Code::Panic,
        Code::NullArgument,
        Code::InvalidUtf8,
        Code::InvalidLength,
        Code::InvalidHandle,
        Code::TooManyStores,
        Code::UnknownOption,
        Code::OptionType,
        Code::OptionValue,
        Code::EmptyTableName,
        Code::EmptyKey,
        Code::EmptyKind,
        Code::KeyTooLong,
        Code::InvalidVersion,
        Code::InvalidJson,
        Code::DuplicateKey,
        Code::EmptyItem,
        Code::TableNotFound,
        Code::KeySchema,
        Code::AccessDenied,
        Code::InvalidCredentials,
        Code::ExpiredCredentials,
        Code::NoCredentials,
        Code::NoRegion,
        Code::ClockSkew,
        Code::Throttled,
        Code::Timeout,
        Code::Connection,
        Code::Service,
        Code::UnexpectedResponse,
        Code::Rejected,
        Code::CalledInCallback,
        Code::Runtime,
        Code::Cancelled,
    ];
}

/// A failure: its cause and a sentence for the person who reads the log.
///
/// The message names what was attempted, what happened and what to do; it never holds a credential or a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The cause.
    pub code: Code,
    /// The sentence.
    pub message: String,
}

impl Error {
    /// A failure with its sentence. Whatever keys and words of others the sentence quotes, it stays on one line.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: one_line(message.into()) }
    }

    /// The same failure, saying first what was attempted.
    #[must_use]
    pub fn during(mut self, attempt: impl fmt::Display) -> Self {
        self.message = one_line(format!("{attempt}: {}", self.message));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_negative_and_distinct() {
        let mut numbers: Vec<i32> = Code::ALL.iter().map(|code| code.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert!(numbers.iter().all(|number| *number < 0 && *number > -1000));
    }

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        let error =
            Error::new(Code::Timeout, "no answer for \"a\nERROR forged\u{1b}[2J\"").during("reading \"b\r\u{2028}\"");
        assert_eq!(error.message, "reading \"b\\r\\u{2028}\": no answer for \"a\\nERROR forged\\u{1b}[2J\"");
    }

    #[test]
    fn what_may_pass_never_hides_an_older_value_and_a_wrong_question_always_does() {
        for code in Code::ALL {
            let wrong_question = (-17..=-2).contains(&code.number()) || code == Code::CalledInCallback;
            let nobody_asks = code == Code::Cancelled;
            assert_eq!(code.older_may_stand_in(), !wrong_question && !nobody_asks, "{code:?}");
            assert!(!code.retriable() || code.older_may_stand_in(), "{code:?}");
        }
    }
}
