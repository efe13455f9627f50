//! IAM Identity Center: the sign-in that the AWS CLI left in its cache, renewed where that is possible, and the credentials
//! that it is good for.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value, json};

use super::ask::{Said, Service, request};
use super::{LoadFailure, LoadFailureKind};
use crate::dynamo::http::Response;
use crate::dynamo::percent::{QUERY, encoded};

/// A sign-in is renewed so long before its end, as the AWS CLI does it.
const LEAD: Duration = Duration::from_secs(5 * 60);

/// What a profile says of its sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// `sso_session`; the older form has none, and cannot be renewed.
    pub session: Option<String>,
    /// `sso_start_url`
    pub start_url: String,
    /// `sso_region`
    pub region: String,
    /// `sso_account_id`
    pub account: String,
    /// `sso_role_name`
    pub role: String,
}

/// A sign-in, as the AWS CLI keeps it.
pub struct Token {
    path: PathBuf,
    members: Map<String, Value>,
}

impl SignIn {
    /// What its file is called, as every AWS SDK does.
    fn file(&self) -> String {
        let name = self.session.as_deref().unwrap_or(&self.start_url);
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, name.as_bytes());
        let hexadecimal: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!(".aws/sso/cache/{hexadecimal}.json")
    }

    /// Reads the sign-in. May hang where its file system does.
    pub fn token(&self, home: Option<PathBuf>) -> Result<Token, LoadFailure> {
        let failed = |why: &str| LoadFailure::new(LoadFailureKind::Misconfigured, format!("the SSO token {why}"));
        let path = home.ok_or_else(|| failed("is looked for in the home folder, and there is none"))?.join(self.file());
        let text =
            std::fs::read(&path).map_err(|error| failed(&format!("in {} cannot be read: {error}", path.display())))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(members)) => Ok(Token { path, members }),
            _ => Err(failed(&format!("in {} is damaged", path.display()))),
        }
    }
}

impl Token {
    /// A member, whose name has been seen in small and in capital letters.
    fn text(&self, name: &str) -> Option<&str> {
        let member = self.members.iter().find(|(member, _)| member.eq_ignore_ascii_case(name));
        member?.1.as_str().filter(|text| !text.is_empty())
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        let time = DateTime::from_str(self.text(name)?, Format::DateTimeWithOffset).ok()?;
        SystemTime::try_from(time).ok()
    }

    fn put(&mut self, name: &str, value: Value) {
        let known = self.members.keys().find(|member| member.eq_ignore_ascii_case(name)).cloned();
        self.members.insert(known.unwrap_or_else(|| name.to_owned()), value);
    }

    /// What services may echo.
    pub fn secrets(&self) -> Vec<String> {
        let secrets = ["accessToken", "refreshToken", "clientSecret"];
        secrets.iter().filter_map(|name| self.text(name)).map(ToOwned::to_owned).collect()
    }

    fn ends_by(&self, time: SystemTime) -> bool {
        self.time("expiresAt").is_none_or(|end| end <= time)
    }

    /// What asks for the next, if that is worth asking for now.
    pub fn renewal(&self, sign_in: &SignIn, now: SystemTime) -> Option<Value> {
        let registered = self.time("registrationExpiresAt").is_some_and(|end| end > now);
        if sign_in.session.is_none() || !registered || !self.ends_by(now + LEAD) {
            return None;
        }
        Some(json!({
            "clientId": self.text("clientId")?, "clientSecret": self.text("clientSecret")?,
            "grantType": "refresh_token", "refreshToken": self.text("refreshToken")?,
        }))
    }

    /// What came of asking. It is written back, else the AWS CLI would find the old one used up and ask its user to sign in
    /// again. One that could not be renewed is used to its end.
    pub fn renew(&mut self, asked: Result<Value, LoadFailure>, now: SystemTime) -> Result<(), LoadFailure> {
        match asked {
            Ok(renewed) => {
                let unusable = || {
                    LoadFailure::new(LoadFailureKind::Refused, "IAM Identity Center renewed the SSO token to nothing")
                };
                self.take(&renewed, now).ok_or_else(unusable)
            }
            Err(failure) if failure.kind.passes() && self.ends_by(now) => Err(failure),
            Err(_) => Ok(()),
        }
    }

    /// Whether it can be used.
    pub fn check(&self, sign_in: &SignIn, now: SystemTime) -> Result<(), LoadFailure> {
        if !self.ends_by(now) {
            return Ok(());
        }
        let why =
            format!("the SSO token of \"{}\" has expired", sign_in.session.as_deref().unwrap_or(&sign_in.start_url));
        Err(LoadFailure::new(LoadFailureKind::Misconfigured, why))
    }

    fn take(&mut self, renewed: &Value, now: SystemTime) -> Option<()> {
        let end = DateTime::from(now + Duration::from_secs(renewed.get("expiresIn")?.as_u64()?));
        self.put("expiresAt", end.fmt(Format::DateTime).ok()?.into());
        self.put("accessToken", renewed.get("accessToken")?.as_str()?.into());
        if let Some(next) = renewed.get("refreshToken").and_then(Value::as_str) {
            self.put("refreshToken", next.into());
        }
        // The credentials that come of it are there all the same. Whoever may read the file stays as it is.
        let _ = std::fs::write(&self.path, Value::from(self.members.clone()).to_string());
        Some(())
    }
}

/// Asks for a renewed sign-in.
pub async fn renewed(service: &Service<'_>, url: &str, renewal: &Value) -> Result<Value, LoadFailure> {
    let (url, body) = (format!("{}/token", url.trim_end_matches('/')), renewal.to_string());
    let response = service.answer(|| request("POST", &url, &[("content-type", "application/json")], &body)).await?;
    serde_json::from_slice(response.body()).map_err(|_| service.nonsense())
}

/// The credentials of a sign-in's role.
pub async fn credentials(
    service: &Service<'_>,
    url: &str,
    sign_in: &SignIn,
    token: &Token,
) -> Result<Credentials, LoadFailure> {
    let SignIn { account, role, .. } = sign_in;
    let url = format!(
        "{}/federation/credentials?account_id={}&role_name={}",
        url.trim_end_matches('/'),
        encoded(account, QUERY),
        encoded(role, QUERY)
    );
    let bearer = token.text("accessToken").unwrap_or_default();
    let response = service.answer(|| request("GET", &url, &[("x-amz-sso_bearer_token", bearer)], "")).await?;
    read(response.body(), account).ok_or_else(|| service.nonsense())
}

fn read(body: &[u8], account: &str) -> Option<Credentials> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let given = body.get("roleCredentials")?;
    let text = |name: &str| given.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let end = Duration::from_millis(given.get("expiration")?.as_u64()?);
    let credentials = Credentials::builder()
        .access_key_id(text("accessKeyId")?)
        .secret_access_key(text("secretAccessKey")?)
        .session_token(text("sessionToken")?)
        .account_id(account.to_owned())
        .expiry(SystemTime::UNIX_EPOCH + end)
        .provider_name("IAM Identity Center");
    Some(credentials.build())
}

/// What the service says of a refusal.
pub fn said(response: &Response) -> Said {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let header = response.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok());
    let code = header.map(ToOwned::to_owned).or_else(|| text("__type")).or_else(|| text("error"));
    let code = code.map(|code| code.split(':').next().unwrap_or_default().to_owned());
    Said { code, message: text("message").or_else(|| text("error_description")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_sign_in_is_renewed_shortly_before_its_end_if_it_can_be() {
        let sign_in = |session: Option<&str>| SignIn {
            session: session.map(Into::into),
            start_url: "https://example.test/start".into(),
            region: "eu-west-1".into(),
            account: "1".into(),
            role: "x".into(),
        };
        let whole = json!({
            "AccessToken": "a", "expiresAt": "1970-01-01T01:00:00Z", "refreshToken": "r", "clientId": "c", "clientSecret": "s",
            "registrationExpiresAt": "1970-01-02T00:00:00Z",
        });
        let token = |value: &Value, without: &str| {
            let mut members = value.as_object().cloned().unwrap_or_default();
            members.remove(without);
            Token { path: PathBuf::new(), members }
        };
        for (session, without, now, renewed) in [
            (Some("dev"), "", 0, false),
            (Some("dev"), "", 3_299, false),
            (Some("dev"), "", 3_300, true),
            (Some("dev"), "", 4_000, true),
            (None, "", 3_300, false),
            (Some("dev"), "refreshToken", 3_300, false),
            (Some("dev"), "clientSecret", 3_300, false),
            (Some("dev"), "registrationExpiresAt", 3_300, false),
            (Some("dev"), "", 24 * 3600, false),
        ] {
            let renewal = token(&whole, without).renewal(&sign_in(session), time(now));
            assert_eq!(renewal.is_some(), renewed, "{session:?} without {without} at {now}");
        }
        assert_eq!(token(&whole, "").text("accessToken"), Some("a"));
    }

    #[test]
    fn the_file_is_called_as_by_the_aws_cli() {
        let sign_in = SignIn {
            session: Some("dev".into()),
            start_url: "https://example.awsapps.com/start".into(),
            region: "eu-west-1".into(),
            account: "1".into(),
            role: "x".into(),
        };
        assert_eq!(sign_in.file(), ".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json");
    }
}
