//! TLS: which authorities are trusted, and what is said when none vouches for the endpoint.

use std::sync::Arc;

use flagstore::model::Code;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::aws;
use super::host::Host;
use super::stub::Stub;

/// A certificate authority made for one test.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Authority { certificate, issuer: Issuer::new(parameters, key) }
    }

    /// What whoever trusts it is given.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A server on loopback that it vouches for.
    fn server(&self) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new(vec!["127.0.0.1".into()]).expect("a name");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a key that fits");
        Arc::new(config)
    }
}

fn host(stub: &Stub) -> Host {
    Host::new()
        .option("endpoint", stub.url())
        .option("access_key_id", "AKIAOPTIONS")
        .option("secret_access_key", "PLANTED-options")
        .calls(&["get", "get"])
}

fn https() -> (Authority, Stub) {
    let authority = Authority::new();
    let stub = Stub::start_tls(authority.server(), |_| aws::dynamo(200, &serde_json::json!({})));
    (authority, stub)
}

#[test]
fn the_ca_bundle_s_authorities_are_trusted() {
    let (authority, stub) = https();
    let host = host(&stub);
    // A bundle has many authorities, and text between them.
    let text = format!("# ours\n{}\n# another\n{}", Authority::new().pem(), authority.pem());
    let bundle = host.file("ca.pem", text);
    host.option("ca_bundle", bundle.to_str()).run().expect_success();
    assert_eq!(aws::of_dynamo(&stub).len(), 2);
}

#[test]
fn the_ca_bundle_counts_for_who_hands_out_credentials_too() {
    let authority = Authority::new();
    let stub = Stub::start_tls(authority.server(), |request| match aws::is_dynamo(request) {
        true => aws::dynamo(200, &serde_json::json!({})),
        false => aws::sts_credentials("AssumeRoleWithWebIdentity", "WEBIDENTITY", aws::LATER),
    });
    let host = Host::new().on(&stub).env("AWS_ENDPOINT_URL_STS", stub.url());
    let (bundle, token) = (host.file("ca.pem", authority.pem()), host.file("token", "PLANTED.jwt"));
    host.option("ca_bundle", bundle.to_str())
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
        .run()
        .expect_success();
    assert_eq!(aws::of_dynamo(&stub)[0].key_id(), Some("ASIAWEBIDENTITY"));
}

#[test]
fn an_endpoint_that_nobody_vouches_for_is_refused_with_the_remedy() {
    let (_, stub) = https();
    let address = stub.url();
    let words = [address.as_str(), "certificate", "\"ca_bundle\""];
    host(&stub).run().expect_failure(Code::Connection, &words);
    let host = host(&stub);
    let another = host.file("ca.pem", Authority::new().pem());
    host.option("ca_bundle", another.to_str()).run().expect_failure(Code::Connection, &words);
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn a_ca_bundle_that_cannot_be_used_is_an_option_error() {
    let (authority, stub) = https();
    let cut = authority.pem().replacen("MII", "MIJ", 1);
    for (name, text, words) in [
        ("missing", None, "cannot be read"),
        ("empty", Some(""), "certificate"),
        ("text", Some("PLANTED, not a certificate"), "certificate"),
        ("damaged", Some(cut.as_str()), "certificate"),
        ("no base64", Some("-----BEGIN CERTIFICATE-----\nPLANTED!\n-----END CERTIFICATE-----\n"), "certificate"),
    ] {
        eprintln!("{name}");
        let host = host(&stub);
        let bundle = host.home().join("ca.pem");
        if let Some(text) = text {
            host.file("ca.pem", text);
        }
        host.option("ca_bundle", bundle.to_str()).run().expect_failure(Code::OptionValue, &["\"ca_bundle\"", words]);
    }
}
