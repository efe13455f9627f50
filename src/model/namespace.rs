//! Names in the table: kinds, namespaces, keys, and the limits DynamoDB puts on them.

use super::{Code, Error, Result};

/// The kind under which every SDK stores feature flags.
pub const FEATURES: &str = "features";
/// The kind under which every SDK stores segments.
pub const SEGMENTS: &str = "segments";

/// DynamoDB's limit on a sort key, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;
/// DynamoDB's limit on a partition key, in bytes of UTF-8.
pub const MAX_NAMESPACE_BYTES: usize = 2048;

/// Turns kinds into the `namespace` values of one store's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    prefix: String,
}

impl Namespaces {
    /// An empty prefix means none, as in every SDK but Ruby's.
    pub fn new(prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        Namespaces { prefix }
    }

    /// The partition key of a kind's rows.
    pub fn of(&self, kind: &str) -> Result<String> {
        if kind.is_empty() {
            return Err(Error::new(
                Code::EmptyKind,
                "the kind is empty: name one, such as \"features\" or \"segments\"",
            ));
        }
        let namespace = format!("{}{kind}", self.prefix);
        if namespace.len() > MAX_NAMESPACE_BYTES {
            return Err(Error::new(
                Code::KeyTooLong,
                format!(
                    "the kind with its prefix is {} bytes long, DynamoDB takes {MAX_NAMESPACE_BYTES}: shorten the kind or the prefix",
                    namespace.len()
                ),
            ));
        }
        Ok(namespace)
    }

    /// Both keys of the row that says a full data set was stored.
    pub fn inited(&self) -> String {
        format!("{}$inited", self.prefix)
    }

    /// Both keys of the row that says how fresh the big segments are.
    pub fn big_segments_metadata(&self) -> String {
        format!("{}big_segments_metadata", self.prefix)
    }

    /// The length of the longest sort key that is made of the prefix, in bytes.
    pub fn longest_fixed_key(&self) -> usize {
        self.inited().len().max(self.big_segments_metadata().len())
    }

    /// The partition key of big-segment memberships.
    pub fn big_segments_user(&self) -> String {
        format!("{}big_segments_user", self.prefix)
    }
}

/// Refuses a key that DynamoDB would refuse, before anything is sent.
pub fn check_key(kind: &str, key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::new(
            Code::EmptyKey,
            format!("a key of kind \"{kind}\" is empty: DynamoDB takes no empty keys"),
        ));
    }
    if key.len() > MAX_KEY_BYTES {
        let start: String = key.chars().take(40).collect();
        return Err(Error::new(
            Code::KeyTooLong,
            format!(
                "the key \"{start}…\" of kind \"{kind}\" is {} bytes long, DynamoDB takes {MAX_KEY_BYTES}: shorten it",
                key.len()
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_joined_by_a_colon_and_an_empty_one_is_none() {
        assert_eq!(Namespaces::new("app").of("features").unwrap(), "app:features");
        assert_eq!(Namespaces::new("").of("features").unwrap(), "features");
        assert_eq!(Namespaces::new("app").inited(), "app:$inited");
        assert_eq!(Namespaces::new("").big_segments_user(), "big_segments_user");
    }

    #[test]
    fn keys_dynamodb_refuses_are_refused_here() {
        assert_eq!(check_key("features", "").unwrap_err().code, Code::EmptyKey);
        assert_eq!(check_key("features", &"k".repeat(1025)).unwrap_err().code, Code::KeyTooLong);
        assert!(check_key("features", &"k".repeat(1024)).is_ok());
        assert_eq!(Namespaces::new("p").of("").unwrap_err().code, Code::EmptyKind);
        assert_eq!(Namespaces::new("p").of(&"k".repeat(2047)).unwrap_err().code, Code::KeyTooLong);
    }
}
