//! What can be told of the way to a table, for whoever looks for a fault in it: nothing secret.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;

use super::client::DynamoTable;
use super::credentials::Origin;
use super::resolver::Resolver;

/// Letters of an access key id that are shown. It is no secret, and in AWS's consoles its end is what people know it by.
const SHOWN: usize = 4;

/// The way to a table, as far as it is known yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Where requests go, in words.
    pub at: String,
    /// Its host, unless nothing is connected yet.
    pub host: Option<String>,
    /// Who asks.
    pub identity: Option<Shown>,
    /// What had to be added to this machine's clock, in milliseconds.
    pub clock_off: i64,
}

/// Who asks, without a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The end of the access key id.
    pub key_end: String,
    /// The account, where the source says it.
    pub account: Option<String>,
    /// What the credentials come from.
    pub source: &'static str,
    /// When they end.
    pub ends: Option<SystemTime>,
}

impl DynamoTable {
    /// What is known of the way. Asks nobody, but for credentials, whose source is asked until then.
    pub async fn way(&self, until: Instant) -> Way {
        let Some(connection) = self.made() else {
            return Way { at: self.place().at, ..Way::default() };
        };
        let identity = tokio::time::timeout_at(until.into(), connection.identity()).await.ok().flatten();
        Way {
            at: connection.place.at.clone(),
            host: identity.as_ref().map(|identity| identity.host().to_owned()),
            identity: identity.map(|identity| identity.shown()),
            clock_off: connection.clock_off(),
        }
    }
}

/// How many addresses a host has, or why it has none.
pub async fn addresses(host: &str, patience: Duration) -> Result<usize, String> {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let addresses = Resolver::new(patience).resolve(name).await;
    addresses.map(|addresses| addresses.len()).map_err(|failure| failure.to_string())
}

/// Who these credentials are.
pub fn shown(credentials: &Credentials) -> Shown {
    let id = credentials.access_key_id();
    // A key that is no longer than what is shown of it is no key, and may be something else that came to the wrong place.
    let end = id.len().checked_sub(SHOWN).filter(|end| *end >= 2 * SHOWN).and_then(|end| id.get(end..));
    Shown {
        key_end: end.unwrap_or_default().to_owned(),
        account: credentials.account_id().map(|account| account.as_str().to_owned()),
        source: credentials.get_property::<Origin>().map(|origin| origin.words()).unwrap_or_default(),
        ends: credentials.expiry(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_its_end_is_shown_and_of_what_may_be_none_nothing() {
        for (id, end) in [("AKIAIOSFODNN7EXAMPLE", "MPLE"), ("0123456789ab", "89ab"), ("s3cr3t", ""), ("", "")] {
            let shown = shown(&Credentials::new(id, "PLANTED", Some("PLANTED".into()), None, "test"));
            assert_eq!(shown.key_end, end, "{id}");
            assert!(!format!("{shown:?}").contains("PLANTED"));
        }
    }
}
