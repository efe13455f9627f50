//! The numbers of the C ABI, spelled out for the header. A test holds them to the ones the core uses.

use crate::model::options::LogLevel;

/// Number of this ABI. It grows when a function changes its meaning or goes; new functions do not change it.
/// Compare it with `store_abi_version()` right after loading the library, and refuse another number.
pub const STORE_ABI_VERSION: u32 = 1;

/// The call did what it says.
pub const STORE_OK: i32 = 0;
/// Outcome, not an error: there is no such row (or event).
pub const STORE_NOT_FOUND: i32 = 1;
/// Outcome, not an error: the stored row has this version or a newer one, and stays.
pub const STORE_NEWER_EXISTS: i32 = 2;
/// Outcome, not an error: the item is over DynamoDB's 400 KB; the older row, if any, stays.
pub const STORE_TOO_LARGE: i32 = 3;
/// Outcome, not an error: the cache does not have it, or there is no cache.
pub const STORE_NOT_CACHED: i32 = 4;

/// A bug in the library, contained. Report it.
pub const STORE_ERROR_PANIC: i32 = -1;
/// A pointer that must not be NULL is NULL.
pub const STORE_ERROR_NULL_ARGUMENT: i32 = -2;
/// Text that is not UTF-8.
pub const STORE_ERROR_INVALID_UTF8: i32 = -3;
/// A length that cannot be right, such as a negative one that was converted.
pub const STORE_ERROR_INVALID_LENGTH: i32 = -4;
/// The handle is zero, closed, or never was what it is used as: a store, a completion queue, a call, a descriptor.
pub const STORE_ERROR_INVALID_HANDLE: i32 = -5;
/// Too many handles are open: close some.
pub const STORE_ERROR_TOO_MANY_STORES: i32 = -6;
/// There is no option of this name.
pub const STORE_ERROR_UNKNOWN_OPTION: i32 = -7;
/// The option takes another JSON type.
pub const STORE_ERROR_OPTION_TYPE: i32 = -8;
/// The option's value is out of range.
pub const STORE_ERROR_OPTION_VALUE: i32 = -9;
/// The table name is missing or empty.
pub const STORE_ERROR_EMPTY_TABLE_NAME: i32 = -10;
/// A key is empty; DynamoDB takes no empty keys.
pub const STORE_ERROR_EMPTY_KEY: i32 = -11;
/// A kind is empty.
pub const STORE_ERROR_EMPTY_KIND: i32 = -12;
/// A key is over 1,024 bytes, or a namespace over 2,048.
pub const STORE_ERROR_KEY_TOO_LONG: i32 = -13;
/// A version is negative, not a whole number, or beyond 64 bits.
pub const STORE_ERROR_INVALID_VERSION: i32 = -14;
/// Text that should be a JSON object and is not.
pub const STORE_ERROR_INVALID_JSON: i32 = -15;
/// A kind or key stands twice in one data set.
pub const STORE_ERROR_DUPLICATE_KEY: i32 = -16;
/// A live item has no payload.
pub const STORE_ERROR_EMPTY_ITEM: i32 = -17;
/// The table does not exist in this region and account.
pub const STORE_ERROR_TABLE_NOT_FOUND: i32 = -30;
/// The table's key is not `namespace` (string) and `key` (string).
pub const STORE_ERROR_KEY_SCHEMA: i32 = -31;
/// The credentials may not do this: add the permission.
pub const STORE_ERROR_ACCESS_DENIED: i32 = -32;
/// AWS does not know the credentials, or the secret key is wrong.
pub const STORE_ERROR_INVALID_CREDENTIALS: i32 = -33;
/// The credentials have expired.
pub const STORE_ERROR_EXPIRED_CREDENTIALS: i32 = -34;
/// No credentials were found.
pub const STORE_ERROR_NO_CREDENTIALS: i32 = -35;
/// No region was found.
pub const STORE_ERROR_NO_REGION: i32 = -36;
/// This machine's clock is wrong.
pub const STORE_ERROR_CLOCK_SKEW: i32 = -37;
/// DynamoDB throttled the request until the deadline. Retriable.
pub const STORE_ERROR_THROTTLED: i32 = -38;
/// The deadline passed. Retriable.
pub const STORE_ERROR_TIMEOUT: i32 = -39;
/// The endpoint cannot be reached, or the connection broke. Retriable.
pub const STORE_ERROR_CONNECTION: i32 = -40;
/// DynamoDB reported a fault of its own. Retriable.
pub const STORE_ERROR_SERVICE: i32 = -41;
/// The answer is not what was asked for. Retriable.
pub const STORE_ERROR_UNEXPECTED_RESPONSE: i32 = -42;
/// DynamoDB refused the request for a reason not listed here; the message has it.
pub const STORE_ERROR_REJECTED: i32 = -43;
/// A blocking function was called inside a callback.
pub const STORE_ERROR_CALLED_IN_CALLBACK: i32 = -44;
/// The library's threads could not be started. Retriable.
pub const STORE_ERROR_RUNTIME: i32 = -45;
/// `store_cancel` ended the call before it was over. Somebody wanted that, so it is no fault, and not retriable.
pub const STORE_CANCELLED: i32 = -46;

/// Event level: something was not done.
pub const STORE_LEVEL_ERROR: i32 = 1;
/// Event level: something needs a look.
pub const STORE_LEVEL_WARN: i32 = 2;
/// Event level: something happened.
pub const STORE_LEVEL_INFO: i32 = 3;
/// Event level: for whoever looks for a fault.
pub const STORE_LEVEL_DEBUG: i32 = 4;

/// The number of an event's level.
pub fn level(level: LogLevel) -> i32 {
    match level {
        LogLevel::Off => 0,
        LogLevel::Error => STORE_LEVEL_ERROR,
        LogLevel::Warn => STORE_LEVEL_WARN,
        LogLevel::Info => STORE_LEVEL_INFO,
        LogLevel::Debug => STORE_LEVEL_DEBUG,
    }
}

/// The name of every number, NUL-terminated, for `store_code_name`.
pub const NAMES: [(i32, &std::ffi::CStr); 39] = [
    (STORE_OK, c"STORE_OK"),
    (STORE_NOT_FOUND, c"STORE_NOT_FOUND"),
    (STORE_NEWER_EXISTS, c"STORE_NEWER_EXISTS"),
    (STORE_TOO_LARGE, c"STORE_TOO_LARGE"),
    (STORE_NOT_CACHED, c"STORE_NOT_CACHED"),
    (STORE_ERROR_PANIC, c"STORE_ERROR_PANIC"),
    (STORE_ERROR_NULL_ARGUMENT, c"STORE_ERROR_NULL_ARGUMENT"),
    (STORE_ERROR_INVALID_UTF8, c"STORE_ERROR_INVALID_UTF8"),
    (STORE_ERROR_INVALID_LENGTH, c"STORE_ERROR_INVALID_LENGTH"),
    (STORE_ERROR_INVALID_HANDLE, c"STORE_ERROR_INVALID_HANDLE"),
    (STORE_ERROR_TOO_MANY_STORES, c"STORE_ERROR_TOO_MANY_STORES"),
    (STORE_ERROR_UNKNOWN_OPTION, c"STORE_ERROR_UNKNOWN_OPTION"),
    (STORE_ERROR_OPTION_TYPE, c"STORE_ERROR_OPTION_TYPE"),
    (STORE_ERROR_OPTION_VALUE, c"STORE_ERROR_OPTION_VALUE"),
    (STORE_ERROR_EMPTY_TABLE_NAME, c"STORE_ERROR_EMPTY_TABLE_NAME"),
    (STORE_ERROR_EMPTY_KEY, c"STORE_ERROR_EMPTY_KEY"),
    (STORE_ERROR_EMPTY_KIND, c"STORE_ERROR_EMPTY_KIND"),
    (STORE_ERROR_KEY_TOO_LONG, c"STORE_ERROR_KEY_TOO_LONG"),
    (STORE_ERROR_INVALID_VERSION, c"STORE_ERROR_INVALID_VERSION"),
    (STORE_ERROR_INVALID_JSON, c"STORE_ERROR_INVALID_JSON"),
    (STORE_ERROR_DUPLICATE_KEY, c"STORE_ERROR_DUPLICATE_KEY"),
    (STORE_ERROR_EMPTY_ITEM, c"STORE_ERROR_EMPTY_ITEM"),
    (STORE_ERROR_TABLE_NOT_FOUND, c"STORE_ERROR_TABLE_NOT_FOUND"),
    (STORE_ERROR_KEY_SCHEMA, c"STORE_ERROR_KEY_SCHEMA"),
    (STORE_ERROR_ACCESS_DENIED, c"STORE_ERROR_ACCESS_DENIED"),
    (STORE_ERROR_INVALID_CREDENTIALS, c"STORE_ERROR_INVALID_CREDENTIALS"),
    (STORE_ERROR_EXPIRED_CREDENTIALS, c"STORE_ERROR_EXPIRED_CREDENTIALS"),
    (STORE_ERROR_NO_CREDENTIALS, c"STORE_ERROR_NO_CREDENTIALS"),
    (STORE_ERROR_NO_REGION, c"STORE_ERROR_NO_REGION"),
    (STORE_ERROR_CLOCK_SKEW, c"STORE_ERROR_CLOCK_SKEW"),
    (STORE_ERROR_THROTTLED, c"STORE_ERROR_THROTTLED"),
    (STORE_ERROR_TIMEOUT, c"STORE_ERROR_TIMEOUT"),
    (STORE_ERROR_CONNECTION, c"STORE_ERROR_CONNECTION"),
    (STORE_ERROR_SERVICE, c"STORE_ERROR_SERVICE"),
    (STORE_ERROR_UNEXPECTED_RESPONSE, c"STORE_ERROR_UNEXPECTED_RESPONSE"),
    (STORE_ERROR_REJECTED, c"STORE_ERROR_REJECTED"),
    (STORE_ERROR_CALLED_IN_CALLBACK, c"STORE_ERROR_CALLED_IN_CALLBACK"),
    (STORE_ERROR_RUNTIME, c"STORE_ERROR_RUNTIME"),
    (STORE_CANCELLED, c"STORE_CANCELLED"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    #[test]
    fn the_header_numbers_and_names_are_those_of_the_core() {
        assert_eq!(NAMES.len(), Code::ALL.len() + 5);
        for code in Code::ALL {
            let camel = format!("{code:?}");
            // What somebody wanted is no error by its name.
            let mut name = if code == Code::Cancelled { "STORE" } else { "STORE_ERROR" }.to_owned();
            for letter in camel.chars() {
                if letter.is_uppercase() {
                    name.push('_');
                }
                name.push(letter.to_ascii_uppercase());
            }
            let listed = NAMES.iter().find(|(number, _)| *number == code.number()).expect("every code has a name");
            assert_eq!(listed.1.to_str().expect("ASCII"), name);
        }
    }
}
