//! From the errors of the SDK's sources to a failure that holds no secret.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::error::ErrorMetadata;

use super::{LoadFailure, LoadFailureKind};

/// The most of a text that is quoted.
const MAX_QUOTED: usize = 200;
/// From this length on a word with letters and digits may be a key or a token.
const SUSPICIOUS: usize = 16;
/// From this length on any word may be.
const TOO_LONG: usize = 40;

/// What a failure of the SDK's sources means. `secrets` are what these were given to present, and may be echoed.
pub fn of_sdk(error: &CredentialsError, secrets: &[String]) -> LoadFailure {
    LoadFailure::new(kind(error), without_secrets(&innermost(error), secrets))
}

fn kind(error: &CredentialsError) -> LoadFailureKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => return LoadFailureKind::NotFound,
        CredentialsError::ProviderTimedOut(_) => return LoadFailureKind::TimedOut,
        CredentialsError::InvalidConfiguration(_) => return LoadFailureKind::Misconfigured,
        _ => {}
    }
    let connection = causes(error).find_map(|cause| cause.downcast_ref::<ConnectorError>());
    // The responses are in errors whose types are the SDK's own; only their debug output, which nobody sees, tells.
    let told = format!("{error:?}");
    match (connection, status(&told)) {
        (Some(connection), _) if connection.is_timeout() => LoadFailureKind::TimedOut,
        (Some(connection), _) if connection.is_io() => LoadFailureKind::Unreachable,
        (_, Some(429 | 500..)) => LoadFailureKind::Failing,
        _ if causes(error).any(is_transient) => LoadFailureKind::Failing,
        (_, None) if told.contains("imedOut") || told.contains("TimeoutError") => LoadFailureKind::TimedOut,
        _ => LoadFailureKind::Refused,
    }
}

/// The status of the last response in an error's debug output.
fn status(told: &str) -> Option<u16> {
    let (_, after) = told.rsplit_once("StatusCode(")?;
    after.split(')').next()?.parse().ok()
}

/// Whether it is an error by whose name the service asks to be tried again.
fn is_transient(cause: &(dyn StdError + 'static)) -> bool {
    let code = cause.downcast_ref::<ErrorMetadata>().and_then(ErrorMetadata::code).unwrap_or_default();
    const TRANSIENT: [&str; 7] =
        ["Throttl", "TooManyRequests", "RequestLimit", "Unavailable", "Internal", "IDPCommunication", "RequestTimeout"];
    TRANSIENT.iter().any(|name| code.contains(name))
}

/// An error and what caused it, down to the bottom.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}

/// The cause at the bottom says most and repeats nothing, such as "Connection refused (os error 111)".
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let deepest = causes(error).last().unwrap_or(error);
    let Some(service) = deepest.downcast_ref::<ErrorMetadata>() else {
        let text = deepest.to_string();
        // The metadata service's failures end with the whole answer, whatever that holds.
        return text.split(" Response {").next().unwrap_or_default().to_owned();
    };
    // What STS and its like say. AWS's message on a wrong signature quotes the signed request, so it is left out.
    match (service.code().unwrap_or("an error without a name"), service.message()) {
        (code, Some(message)) if !code.contains("Signature") => format!("{code}: {message}"),
        (code, _) => code.to_owned(),
    }
}

/// A text on one line and of bounded length, without what is known to be secret and what looks like a key or a token.
fn without_secrets(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().map(|secret| secret.trim()).filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    let in_word = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-.%".contains(letter);
    let (mut cleaned, mut word) = (String::new(), String::new());
    // One more letter ends the last word.
    for letter in text.chars().chain([' ']) {
        if in_word(letter) {
            word.push(letter);
            continue;
        }
        cleaned.push_str(if is_suspicious(&word) { "…" } else { &word });
        word.clear();
        cleaned.push(if letter.is_whitespace() { ' ' } else { letter });
    }
    cleaned.trim().chars().take(MAX_QUOTED).collect()
}

fn is_suspicious(word: &str) -> bool {
    let has = |what: fn(&u8) -> bool| word.as_bytes().iter().any(what);
    // Paths have digits too, and neither keys nor tokens begin with a slash more often than once in sixty-four.
    let is_path = word.starts_with('/') && word.len() < TOO_LONG;
    word.len() >= TOO_LONG
        || word.len() >= SUSPICIOUS && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && !is_path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_says_is_quoted_without_what_it_echoes() {
        let secrets = ["PLANTED.jwt\n".to_owned(), String::new()];
        for (text, quoted) in [
            ("Connection refused (os error 111)", "Connection refused (os error 111)"),
            (
                "User: arn:aws:iam::123456789012:user/x is not authorized to perform: sts:AssumeRoleWithWebIdentity",
                "User: arn:aws:iam::123456789012:user/x is not authorized to perform: sts:AssumeRoleWithWebIdentity",
            ),
            ("the token PLANTED.jwt is not valid", "the token … is not valid"),
            ("the key AKIAIOSFODNN7EXAMPLE is not known", "the key … is not known"),
            ("token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln, sent", "…, sent"),
            ("two\nlines", "two lines"),
        ] {
            assert_eq!(without_secrets(text, &secrets), quoted);
        }
        assert_eq!(without_secrets(&"so ".repeat(500), &[]).chars().count(), MAX_QUOTED);
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        let said = |code: &str| {
            let metadata = ErrorMetadata::builder().code(code).message("x").build();
            CredentialsError::provider_error(metadata)
        };
        for (error, expected) in [
            (CredentialsError::not_loaded("x"), LoadFailureKind::NotFound),
            (CredentialsError::invalid_configuration("x"), LoadFailureKind::Misconfigured),
            (CredentialsError::provider_timed_out(std::time::Duration::ZERO), LoadFailureKind::TimedOut),
            (said("AccessDenied"), LoadFailureKind::Refused),
            (said("ThrottlingException"), LoadFailureKind::Failing),
            (said("ServiceUnavailable"), LoadFailureKind::Failing),
            (CredentialsError::provider_error("a status: StatusCode(503)"), LoadFailureKind::Failing),
            (CredentialsError::provider_error("a status: StatusCode(403)"), LoadFailureKind::Refused),
            (CredentialsError::provider_error(ConnectorError::timeout("x".into())), LoadFailureKind::TimedOut),
            (CredentialsError::provider_error(ConnectorError::io("x".into())), LoadFailureKind::Unreachable),
        ] {
            assert_eq!(of_sdk(&error, &[]).kind, expected, "{error:?}");
        }
    }
}
