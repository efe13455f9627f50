//! What of the other side's words may stand in a message: a plain sentence, and nothing that could be a secret.
//!
//! Servers quote requests: AWS the one whose signature is wrong, a gateway whatever it does not understand. So words are
//! taken only if they look like AWS's sentences, letter by letter and word by word, and hold no part of a credential.

/// Longest quotation, in characters.
const LONGEST: usize = 300;
/// From this length on, a part of a credential is more than chance.
const TELLING: usize = 6;
/// Longest run of letters and digits mixed: access keys, signatures and tokens have longer ones, names hardly ever.
const MIXED: usize = 16;
/// Longest run of letters alone, such as the name of an exception.
const LETTERS: usize = 48;
/// Longest run of digits alone, such as an account's number or a time.
const DIGITS: usize = 16;
/// Longest word of mixed case with digits, as base64 has them, whatever stands between its letters.
const RANDOM: usize = 40;

/// A sentence of the other side, if it is one. `secrets` are those of the request that it answers.
pub fn sentence(words: &str, secrets: &[&str]) -> Option<String> {
    let words = words.trim();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || " .,:;'()[]/-_*#@".contains(letter);
    let quotable = !words.is_empty()
        && words.chars().all(plain)
        && runs(words).all(harmless)
        && !words.split([' ', ':', ',', ';', '(', ')', '[', ']', '\'']).any(random)
        && !holds_any(words, secrets);
    quotable.then(|| words.chars().take(LONGEST).collect())
}

/// The name of an error or the number of a request, if it is one.
pub fn name(word: &str, secrets: &[&str]) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let quotable = !word.is_empty() && word.len() <= 64 && word.chars().all(plain) && !holds_any(word, secrets);
    quotable.then(|| word.to_owned())
}

/// The letters and digits between everything else.
fn runs(words: &str) -> impl Iterator<Item = &str> {
    words.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|run| !run.is_empty())
}

fn harmless(run: &str) -> bool {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    run.len()
        <= match digits {
            0 => LETTERS,
            _ if digits == run.len() => DIGITS,
            _ => MIXED,
        }
}

fn random(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    word.len() >= RANDOM && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
}

/// Whether any secret, or a telling part of one, is in it.
fn holds_any(words: &str, secrets: &[&str]) -> bool {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .any(|secret| words.contains(secret) || runs(words).any(|run| run.len() >= TELLING && secret.contains(run)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: [&str; 3] =
        ["ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEBYaDHqa0AP/eyJhIjoi+w=="];

    #[test]
    fn what_aws_says_is_quoted() {
        for words in [
            "User: arn:aws:sts::123456789012:assumed-role/flags-reader/i-0abc123def456789 is not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:eu-west-1:123456789012:table/my_flags.v2 because no identity-based policy allows the dynamodb:GetItem action",
            "One or more parameter values were invalid: Type mismatch for key namespace expected: N actual: S",
            "The parameter cannot be converted to a numeric value: version",
            "Signature expired: 20200101T000000Z is now earlier than 20240101T000000Z (20240101T000500Z - 5 min.)",
            "The AWS Access Key Id needs a subscription for the service",
        ] {
            assert_eq!(sentence(words, &SECRETS).as_deref(), Some(words));
        }
        assert_eq!(sentence(&"a word ".repeat(100), &SECRETS).map(|words| words.len()), Some(LONGEST));
    }

    #[test]
    fn what_could_hold_a_secret_is_not() {
        for words in [
            "",
            // Of this request, whole and cut off.
            "no such key: ASIAIOSFODNN7EXAMPLE",
            "the key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is wrong",
            "token FwoGZXIvYX",
            "token ends with eyJhIjoi",
            // Of another one.
            "no such key: AKIAI44QH8DHBEXAMPLE",
            "secret je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
            "signature 5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            "bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
            // What no sentence of AWS has.
            "{\"Item\":{}}",
            "<html>busy</html>",
            "Authorization=AWS4-HMAC-SHA256",
            "two\nlines",
            "a tab\there",
            "käse",
        ] {
            assert_eq!(sentence(words, &SECRETS), None, "{words}");
        }
    }

    #[test]
    fn names_and_numbers_are_quoted_unless_they_are_the_credentials() {
        assert_eq!(name("SlowDown", &SECRETS).as_deref(), Some("SlowDown"));
        let number = "4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG";
        assert_eq!(name(number, &SECRETS).as_deref(), Some(number));
        for word in ["", "two words", "ASIAIOSFODNN7EXAMPLE", "IOSFODNN7", "a\"b", &"x".repeat(65)] {
            assert_eq!(name(word, &SECRETS), None, "{word}");
        }
    }
}
