//! `aws login`: the session that the AWS CLI left in its cache, with credentials for a quarter of an hour, and what renews
//! it: a token that only who signed in can use, which a signature proves (DPoP, RFC 9449).
//!
//! The SDK's own source of it would bring a client, a runtime and an implementation of P-256 along. Here it is one request,
//! which `ring`, that TLS has anyway, can sign.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::{DateTime, base64};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};

use super::ask::{Said, Service, request};
use super::{LoadFailure, LoadFailureKind, files};
use crate::dynamo::http::Response;
use crate::model::environment::Environment;

/// A session is renewed so long before its end, as the AWS CLI does it.
const LEAD: Duration = Duration::from_secs(5 * 60);

/// A session, as the AWS CLI keeps it.
pub struct Session {
    path: PathBuf,
    members: Map<String, Value>,
}

/// What renews a session.
pub struct Renewal {
    body: String,
    proof: Proof,
}

impl Session {
    /// Reads the session of this name, the `login_session` of a profile. May hang where its file system does.
    pub fn of(name: &str, environment: &Environment) -> Result<Session, LoadFailure> {
        let folder = match environment.get("AWS_LOGIN_CACHE_DIRECTORY") {
            Some(folder) => PathBuf::from(folder),
            None => {
                let home = files::home(environment);
                home.ok_or_else(|| failed("is looked for in the home folder, and there is none"))?
                    .join(".aws/login/cache")
            }
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, name.trim().as_bytes());
        let hexadecimal: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("{hexadecimal}.json"));
        let text =
            std::fs::read(&path).map_err(|error| failed(&format!("in {} cannot be read: {error}", path.display())))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(members)) => Ok(Session { path, members }),
            _ => Err(failed(&format!("in {} is damaged", path.display()))),
        }
    }

    /// The region in which the user signed in, where it says it.
    pub fn region(&self) -> Option<&str> {
        self.text("signInRegion")
    }

    /// What the service may echo.
    pub fn secrets(&self) -> Vec<String> {
        let own = ["refreshToken", "idToken", "dpopKey"].into_iter().filter_map(|name| self.text(name));
        let given = ["secretAccessKey", "sessionToken"].into_iter().filter_map(|name| self.access(name));
        own.chain(given).map(ToOwned::to_owned).collect()
    }

    /// What asks for the next, if that is worth asking for now.
    pub fn renewal(&self, now: SystemTime) -> Result<Option<Renewal>, LoadFailure> {
        if !self.ends_by(now + LEAD) {
            return Ok(None);
        }
        let damaged = |what: &str| failed(&format!("in {} {what}", self.path.display()));
        let proof = self.text("dpopKey").and_then(Proof::by).ok_or_else(|| damaged("has no usable dpopKey"))?;
        let (Some(client), Some(token)) = (self.text("clientId"), self.text("refreshToken")) else {
            return Err(damaged("has nothing to renew it with"));
        };
        let body = json!({"clientId": client, "grantType": "refresh_token", "refreshToken": token}).to_string();
        Ok(Some(Renewal { body, proof }))
    }

    /// What came of asking. It is written back, else the AWS CLI would find the old one used up and ask its user to sign in
    /// again. A session that could not be renewed is used to its end.
    pub fn renew(&mut self, asked: Result<Value, LoadFailure>, now: SystemTime) -> Result<(), LoadFailure> {
        match asked {
            Ok(renewed) => {
                let unusable =
                    || LoadFailure::new(LoadFailureKind::Refused, "the session of `aws login` was renewed to nothing");
                self.take(&renewed, now).ok_or_else(unusable)
            }
            Err(failure) if failure.kind.passes() && self.ends_by(now) => Err(failure),
            Err(failure) if self.ends_by(now) => Err(failed(&format!("has ended and is not renewed ({failure})"))),
            Err(_) => Ok(()),
        }
    }

    /// Its credentials.
    pub fn credentials(&self) -> Result<Credentials, LoadFailure> {
        let read = || {
            let mut credentials = Credentials::builder()
                .access_key_id(self.access("accessKeyId")?)
                .secret_access_key(self.access("secretAccessKey")?)
                .session_token(self.access("sessionToken")?)
                .expiry(self.end()?)
                .provider_name("aws login");
            credentials.set_account_id(self.access("accountId").map(Into::into));
            Some(credentials.build())
        };
        read().ok_or_else(|| failed(&format!("in {} has no credentials", self.path.display())))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn access(&self, name: &str) -> Option<&str> {
        self.members.get("accessToken")?.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    fn end(&self) -> Option<SystemTime> {
        let end = DateTime::from_str(self.access("expiresAt")?, Format::DateTimeWithOffset).ok()?;
        SystemTime::try_from(end).ok()
    }

    fn ends_by(&self, time: SystemTime) -> bool {
        self.end().is_none_or(|end| end <= time)
    }

    fn take(&mut self, renewed: &Value, now: SystemTime) -> Option<()> {
        let end = DateTime::from(now + Duration::from_secs(renewed.get("expiresIn")?.as_u64()?));
        let given = renewed.get("accessToken")?;
        let mut access = Map::new();
        for name in ["accessKeyId", "secretAccessKey", "sessionToken"] {
            access.insert(name.into(), given.get(name)?.as_str()?.into());
        }
        access.insert("expiresAt".into(), end.fmt(Format::DateTime).ok()?.into());
        if let Some(account) = self.access("accountId") {
            access.insert("accountId".into(), account.into());
        }
        let next = renewed.get("refreshToken")?.as_str()?.to_owned();
        self.members.insert("accessToken".into(), access.into());
        self.members.insert("refreshToken".into(), next.into());
        // The credentials are there all the same. Whoever may read the file stays as it is.
        let _ = std::fs::write(&self.path, Value::from(self.members.clone()).to_string());
        Some(())
    }
}

fn failed(why: &str) -> LoadFailure {
    LoadFailure::new(LoadFailureKind::Misconfigured, format!("the session of `aws login` {why}"))
}

/// Where sessions of a region are renewed, by the rules of AWS's service "Signin".
pub fn url(region: &str) -> String {
    let domain = match region {
        region if region.starts_with("cn-") => "amazonaws.cn",
        region if region.starts_with("us-gov-") => "amazonaws-us-gov.com",
        region if region.starts_with("eusc-") => "amazonaws-eusc.eu",
        _ => "aws.amazon.com",
    };
    format!("https://{region}.signin.{domain}")
}

/// Asks for a renewed session.
pub async fn renewed(service: &Service<'_>, url: &str, renewal: &Renewal) -> Result<Value, LoadFailure> {
    let url = format!("{}/v1/token", url.trim_end_matches('/'));
    let question = || {
        let proof = renewal.proof.of_post(&url, SystemTime::now());
        let proof = proof.ok_or_else(|| failed("cannot be proven to be of who signed in"))?;
        request("POST", &url, &[("content-type", "application/json"), ("dpop", &proof)], &renewal.body)
    };
    let response = service.answer(question).await?;
    serde_json::from_slice(response.body()).map_err(|_| service.nonsense())
}

/// What the service says of a refusal: the name of the error that says most, such as "TOKEN_EXPIRED".
pub fn said(response: &Response) -> Said {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let header = || response.headers().get("x-amzn-errortype")?.to_str().ok().map(ToOwned::to_owned);
    Said { code: text("error").or_else(header), message: text("message") }
}

/// Proves that a request is made by who has the key of the session.
struct Proof {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Proof {
    /// By a key as PEM, alone (SEC 1) or in an envelope (PKCS #8).
    fn by(pem: &str) -> Option<Proof> {
        let inner: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = base64::decode(inner).ok()?;
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = if pem.contains("-----BEGIN PRIVATE KEY-----") {
            EcdsaKeyPair::from_pkcs8(algorithm, &der, &random).ok()?
        } else {
            let (private, public) = halves(&der)?;
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, private, public, &random).ok()?
        };
        Some(Proof { key, random })
    }

    /// For one POST to this URL, now.
    fn of_post(&self, url: &str, now: SystemTime) -> Option<String> {
        // 0x04, then both coordinates.
        let (x, y) = self.key.public_key().as_ref().get(1..)?.split_at_checked(32)?;
        let key = json!({"kty": "EC", "crv": "P-256", "x": unpadded(x), "y": unpadded(y)});
        let mut once = [0; 16];
        self.random.fill(&mut once).ok()?;
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key}).to_string();
        let claims = json!({"jti": unpadded(&once), "htm": "POST", "htu": url, "iat": seconds}).to_string();
        let signed = format!("{}.{}", unpadded(header.as_bytes()), unpadded(claims.as_bytes()));
        let signature = self.key.sign(&self.random, signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", unpadded(signature.as_ref())))
    }
}

/// Base64 as JSON Web Tokens have it.
fn unpadded(bytes: &[u8]) -> String {
    base64::encode(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// The private and the public half of a key, by SEC 1, appendix C.4.
fn halves(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = der;
    let mut inside = element(&mut rest, 0x30)?;
    element(&mut inside, 0x02)?;
    let private = element(&mut inside, 0x04)?;
    if inside.first() == Some(&0xa0) {
        // Which curve it is.
        element(&mut inside, 0xa0)?;
    }
    let mut public = element(&mut inside, 0xa1)?;
    let bits = element(&mut public, 0x03)?;
    Some((private, bits.strip_prefix(&[0])?))
}

/// Takes an element with this tag off the front. None here is longer than a byte says.
fn element<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (head, rest) = der.split_at_checked(2)?;
    // From 0x80 on the length would stand in further bytes.
    let &[found, length @ ..0x80] = head else { return None };
    let (inside, after) = rest.split_at_checked(length.into())?;
    *der = after;
    (found == tag).then_some(inside)
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// A key pair in PKCS #8, and its public half.
    fn key() -> (Vec<u8>, Vec<u8>) {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let envelope = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, envelope.as_ref(), &random).expect("a key");
        (envelope.as_ref().to_vec(), pair.public_key().as_ref().to_vec())
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let text = base64::encode(der);
        let (first, second) = text.split_at(64);
        format!("-----BEGIN {label}-----\n{first}\n{second}\n-----END {label}-----\n")
    }

    /// The same alone, as the AWS CLI writes it.
    fn alone(envelope: &[u8], public: &[u8], curve: bool) -> Vec<u8> {
        let start = envelope.windows(2).position(|tag| tag == [0x04, 0x20]).expect("the private half");
        let mut inside = [&[0x02, 0x01, 0x01][..], &envelope[start..start + 34]].concat();
        if curve {
            inside.extend([0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
        }
        inside.extend([&[0xa1, 0x44, 0x03, 0x42, 0x00][..], public].concat());
        [&[0x30, u8::try_from(inside.len()).expect("short")][..], &inside].concat()
    }

    fn plain(part: &str) -> Vec<u8> {
        let padded = part.replace('-', "+").replace('_', "/") + &"=".repeat((4 - part.len() % 4) % 4);
        base64::decode(padded).expect("base64")
    }

    #[test]
    #[cfg_attr(miri, ignore = "ring is no Rust")]
    fn a_proof_is_for_one_request_and_holds_for_the_key() {
        let (envelope, public) = key();
        for pem in [
            pem("PRIVATE KEY", &envelope),
            pem("EC PRIVATE KEY", &alone(&envelope, &public, true)),
            pem("EC PRIVATE KEY", &alone(&envelope, &public, false)).replace('\n', "\r\n"),
        ] {
            let proof = Proof::by(&pem).expect("a key");
            let url = "https://eu-west-1.signin.aws.amazon.com/v1/token";
            let token =
                |second| proof.of_post(url, SystemTime::UNIX_EPOCH + Duration::from_secs(second)).expect("a proof");
            let made = token(7);
            let parts: Vec<&str> = made.split('.').collect();
            let signed = made.rsplit_once('.').expect("a signature").0;
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public);
            key.verify(signed.as_bytes(), &plain(parts[2])).expect("signed with the key");
            let header: Value = serde_json::from_slice(&plain(parts[0])).expect("JSON");
            assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
            assert_eq!(plain(header["jwk"]["x"].as_str().expect("text")), public[1..33]);
            let claims: Value = serde_json::from_slice(&plain(parts[1])).expect("JSON");
            assert_eq!((&claims["htm"], &claims["htu"], &claims["iat"]), (&json!("POST"), &json!(url), &json!(7)));
            assert_ne!(made, token(7), "no two are the same");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "ring is no Rust")]
    fn what_is_no_key_proves_nothing() {
        let (envelope, public) = key();
        let whole = alone(&envelope, &public, true);
        for length in 0..whole.len() {
            assert!(halves(&whole[..length]).is_none());
        }
        let another = alone(&envelope, &key().1, true);
        assert!(Proof::by(&pem("EC PRIVATE KEY", &another)).is_none(), "its halves are not of one key");
        for text in ["", "PLANTED", "-----BEGIN EC PRIVATE KEY-----\n!\n-----END EC PRIVATE KEY-----"] {
            assert!(Proof::by(text).is_none());
        }
    }

    #[test]
    fn sessions_are_renewed_where_the_user_signed_in() {
        for (region, expected) in [
            ("eu-west-1", "https://eu-west-1.signin.aws.amazon.com"),
            ("cn-north-1", "https://cn-north-1.signin.amazonaws.cn"),
            ("us-gov-west-1", "https://us-gov-west-1.signin.amazonaws-us-gov.com"),
        ] {
            assert_eq!(url(region), expected);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "ring is no Rust")]
    fn a_session_is_renewed_shortly_before_its_end_and_used_to_it() {
        let (envelope, _) = key();
        let members = json!({
            "accessToken": {"accessKeyId": "a", "secretAccessKey": "b", "sessionToken": "c", "expiresAt": "1970-01-01T01:00:00Z"},
            "refreshToken": "r", "clientId": "c", "dpopKey": pem("PRIVATE KEY", &envelope),
        });
        let session = |without: &str| {
            let mut members = members.as_object().cloned().unwrap_or_default();
            members.remove(without);
            Session { path: PathBuf::new(), members }
        };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (without, second, outcome) in [
            ("", 3_299, Ok(false)),
            ("", 3_300, Ok(true)),
            ("dpopKey", 3_299, Ok(false)),
            ("dpopKey", 3_300, Err(())),
            ("refreshToken", 3_300, Err(())),
            ("accessToken", 0, Ok(true)),
        ] {
            let renewal = session(without).renewal(at(second));
            assert_eq!(renewal.map(|renewal| renewal.is_some()).map_err(drop), outcome, "{without} at {second}");
        }
        let says_no = |kind| Err(LoadFailure::new(kind, "no"));
        let ended = |kind, second| session("").renew(says_no(kind), at(second)).is_err();
        assert!(!ended(LoadFailureKind::Refused, 3_500) && !ended(LoadFailureKind::TimedOut, 3_500));
        assert!(ended(LoadFailureKind::Refused, 3_600) && ended(LoadFailureKind::TimedOut, 3_600));
    }
}
