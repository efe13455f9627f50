//! What a service says of a failure, fit to be shown.

/// The most of a text that is quoted.
const MAX_QUOTED: usize = 200;
/// From this length on a word with letters and digits may be a key or a token.
const SUSPICIOUS: usize = 16;
/// From this length on any word may be.
const TOO_LONG: usize = 40;

/// Whether it is an error by whose name a service asks to be tried again.
pub fn is_transient(code: &str) -> bool {
    const TRANSIENT: [&str; 7] =
        ["Throttl", "TooManyRequests", "RequestLimit", "Unavailable", "Internal", "IDPCommunication", "RequestTimeout"];
    TRANSIENT.iter().any(|name| code.contains(name))
}

/// A text on one line and of bounded length, without what is known to be secret and what looks like a key or a token.
pub fn without_secrets(text: &str, secrets: &[String]) -> String {
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
        for (code, transient) in [
            ("AccessDenied", false),
            ("ExpiredTokenException", false),
            ("Throttling", true),
            ("ThrottlingException", true),
            ("ServiceUnavailable", true),
            ("InternalFailure", true),
            ("IDPCommunicationError", true),
        ] {
            assert_eq!(is_transient(code), transient, "{code}");
        }
    }
}
