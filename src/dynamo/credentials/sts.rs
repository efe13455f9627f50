//! AWS Security Token Service: the credentials of a role, for those of somebody else or for a token. Queries and XML, as its
//! API reference of 2011-06-15 has them.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::ask::{Said, Service, request};
use super::profile::Role;
use super::{LoadFailure, LoadFailureKind};
use crate::dynamo::http::Response;
use crate::dynamo::identity::Identity;
use crate::dynamo::percent::{QUERY, encoded};

/// Where STS is asked.
pub struct Place {
    /// The URL.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
}

/// The credentials of a role, for others.
pub async fn assume(
    service: &Service<'_>,
    at: &Place,
    base: Credentials,
    role: &Role,
    now: impl Fn() -> SystemTime,
) -> Result<Credentials, LoadFailure> {
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
        LoadFailure::new(LoadFailureKind::Misconfigured, format!("STS cannot be asked: {error}"))
    };
    let signer = Identity::new(base, &at.url, at.region.clone(), "sts".to_owned()).map_err(unusable)?;
    let query = role.query("AssumeRole", now());
    let question = || {
        let mut request = request("POST", &at.url, &[("content-type", FORM)], &query)?;
        signer.sign(&mut request, now()).map_err(unusable)?;
        Ok(request)
    };
    credentials(service, &service.answer(question).await?, "assumed role")
}

/// The credentials of a role, for a token that somebody else than AWS gave out. Nothing is signed.
pub async fn assume_for_token(
    service: &Service<'_>,
    at: &Place,
    token: &str,
    role: &Role,
) -> Result<Credentials, LoadFailure> {
    let query = format!(
        "{}&WebIdentityToken={}",
        role.query("AssumeRoleWithWebIdentity", SystemTime::now()),
        encoded(token, QUERY)
    );
    let url = format!("{}/", at.url.trim_end_matches('/'));
    let question = || request("POST", &url, &[("content-type", FORM)], &query);
    credentials(service, &service.answer(question).await?, "web identity")
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Role {
    fn query(&self, action: &str, now: SystemTime) -> String {
        let session = self.session_name.clone().unwrap_or_else(|| {
            let milliseconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
            format!("flagstore-{milliseconds}")
        });
        let mut query = format!(
            "Action={action}&Version=2011-06-15&RoleArn={}&RoleSessionName={}",
            encoded(&self.arn, QUERY),
            encoded(&session, QUERY)
        );
        for (name, value) in [("ExternalId", &self.external_id), ("DurationSeconds", &self.duration_seconds)] {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", encoded(value, QUERY)));
            }
        }
        query
    }
}

fn credentials(service: &Service<'_>, response: &Response, source: &'static str) -> Result<Credentials, LoadFailure> {
    let xml = String::from_utf8_lossy(response.body());
    let read = || {
        let mut credentials = Credentials::builder()
            .access_key_id(element(&xml, "AccessKeyId")?)
            .secret_access_key(element(&xml, "SecretAccessKey")?)
            .session_token(element(&xml, "SessionToken")?)
            .provider_name(source);
        let end = DateTime::from_str(&element(&xml, "Expiration")?, Format::DateTimeWithOffset).ok()?;
        credentials.set_expiry(Some(SystemTime::try_from(end).ok()?));
        // arn:aws:sts::ACCOUNT:assumed-role/…
        let account = element(&xml, "Arn").and_then(|arn| arn.split(':').nth(4).map(ToOwned::to_owned));
        credentials.set_account_id(account.filter(|account| !account.is_empty()).map(Into::into));
        Some(credentials.build())
    };
    read().ok_or_else(|| service.nonsense())
}

/// What STS says of a refusal.
pub fn said(response: &Response) -> Said {
    let xml = String::from_utf8_lossy(response.body());
    Said { code: element(&xml, "Code"), message: element(&xml, "Message") }
}

/// The text of the first element with this name. STS's answers nest no two of one name, and these have no attributes.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    Some(unescaped(text.trim())).filter(|text| !text.is_empty())
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').unwrap_or(("", part));
        let number = entity.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        });
        let letter = match entity {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "amp" => Some('&'),
            _ => number.and_then(char::from_u32),
        };
        match letter {
            Some(letter) => unescaped.extend([letter].into_iter().chain(rest.chars())),
            None => unescaped.extend(['&'].into_iter().chain(part.chars())),
        }
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_with_their_entities() {
        let xml = "<R xmlns=\"x\"><A> a&lt;b&amp;&#x41;&#66;&apos;&nope; &</A><B></B><C>1</C><C>2</C><D>cut";
        for (name, text) in [("A", Some("a<b&AB'&nope; &")), ("B", None), ("C", Some("1")), ("D", None), ("E", None)] {
            assert_eq!(element(xml, name).as_deref(), text, "{name}");
        }
    }

    #[test]
    fn a_role_s_query_has_what_the_profile_says() {
        let role = |session_name: Option<&str>, external_id: Option<&str>, duration_seconds: Option<&str>| Role {
            arn: "arn:aws:iam::1:role/x".into(),
            session_name: session_name.map(Into::into),
            external_id: external_id.map(Into::into),
            duration_seconds: duration_seconds.map(Into::into),
            mfa_serial: None,
        };
        let start = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&RoleSessionName=";
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(7);
        for (role, end) in [
            (role(None, None, None), "flagstore-7000"),
            (role(Some("me"), None, None), "me"),
            (role(Some("me"), Some("a&b"), Some("3600")), "me&ExternalId=a%26b&DurationSeconds=3600"),
        ] {
            assert_eq!(role.query("AssumeRole", now), format!("{start}{end}"));
        }
    }
}
