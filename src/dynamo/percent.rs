//! Percent-encoding: which bytes stay as they are depends on where a text goes.

/// What stays in a part of a query.
pub const QUERY: &[u8] = b"-._~";
/// What stays in a path.
pub const PATH: &[u8] = b"-._~/";

/// A text whose letters and digits stay, and what else `stays`.
pub fn encoded(text: &str, stays: &[u8]) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || stays.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// The text that was encoded. What is no encoding stays as it is.
pub fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend(b"%".iter().chain(part.as_bytes())),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_stay_is_encoded_and_comes_back() {
        for (text, stays, expected) in [
            ("flags", QUERY, "flags"),
            ("arn:aws:iam::1:role/flags", QUERY, "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fflags"),
            ("a b+c&d=é", QUERY, "a%20b%2Bc%26d%3D%C3%A9"),
            ("-._~", QUERY, "-._~"),
            ("/a b/100%", PATH, "/a%20b/100%25"),
        ] {
            assert_eq!(encoded(text, stays), expected);
            assert_eq!(decoded(expected), text);
        }
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
