//! TLS: which authorities are trusted, and what is said when none vouches for the endpoint.

use std::sync::Arc;

use flagstore::model::Code;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::aws;
use super::host::Host;
use super::stub::{self, Stub};

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
        self.server_of(&["127.0.0.1"])
    }

    /// A server with these names that it vouches for.
    pub fn server_of(&self, names: &[&str]) -> Arc<rustls::ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters(names).signed_by(&key, &self.issuer).expect("a certificate");
        stub::tls(&certificate, &key)
    }
}

fn parameters(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names")
}

/// A server whose certificate signed itself, and that certificate.
fn self_signed(name: &str, is_ca: IsCa, ended: bool) -> (String, Stub) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = parameters(&[name]);
    parameters.is_ca = is_ca;
    if ended {
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let certificate = parameters.self_signed(&key).expect("a certificate");
    let stub = Stub::start_tls(stub::tls(&certificate, &key), |_| aws::dynamo(200, &serde_json::json!({})));
    (certificate.pem(), stub)
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
fn a_certificate_that_signed_itself_is_taken_from_a_bundle_for_its_own_name() {
    let authority = || IsCa::Ca(BasicConstraints::Unconstrained);
    for (what, name, is_ca, ended, words) in [
        ("an authority, as `openssl req -x509` makes it", "127.0.0.1", authority(), false, None),
        ("no authority", "127.0.0.1", IsCa::ExplicitNoCa, false, None),
        ("nothing said", "127.0.0.1", IsCa::NoCa, false, None),
        ("another name", "db.test", authority(), false, Some("name")),
        ("its time is over", "127.0.0.1", authority(), true, Some("xpired")),
    ] {
        eprintln!("{what}");
        let (pem, stub) = self_signed(name, is_ca, ended);
        let host = host(&stub);
        let bundle = host.file("ca.pem", pem);
        let outcome = host.option("ca_bundle", bundle.to_str()).run();
        match words {
            None => outcome.expect_success(),
            Some(words) => outcome.expect_failure(Code::Connection, &["certificate", words]),
        }
    }
    // One that is not in the bundle.
    let (_, stub) = self_signed("127.0.0.1", authority(), false);
    let host = host(&stub);
    let another = host.file("ca.pem", self_signed("127.0.0.1", authority(), false).0);
    host.option("ca_bundle", another.to_str()).run().expect_failure(Code::Connection, &["certificate"]);
}

#[test]
fn a_bundle_may_come_from_the_environment_or_the_profile_and_the_option_goes_first() {
    let (authority, stub) = https();
    let keys = "aws_access_key_id = AKIADEFAULT\naws_secret_access_key = PLANTED\n";
    for (option, variable, profile) in [
        (Some("right.pem"), Some("wrong.pem"), Some("wrong.pem")),
        (None, Some("right.pem"), Some("wrong.pem")),
        (None, None, Some("right.pem")),
    ] {
        let mut host = Host::new().option("endpoint", stub.url());
        host.file("right.pem", authority.pem());
        host.file("wrong.pem", Authority::new().pem());
        let path = |name: &str| host.home().join(name).display().to_string();
        let (option, variable) = (option.map(path), variable.map(path));
        let profile = profile.map(path).expect("always");
        host = host.config(&format!("[default]\n{keys}ca_bundle = {profile}\n"));
        if let Some(option) = option {
            host = host.option("ca_bundle", option);
        }
        if let Some(variable) = variable {
            host = host.env("AWS_CA_BUNDLE", variable);
        }
        host.run().expect_success();
    }
    // Also where everything else is given.
    let host = host(&stub);
    let bundle = host.file("ca.pem", authority.pem());
    host.env("AWS_CA_BUNDLE", bundle).run().expect_success();
    for (named, words) in [
        ("AWS_CA_BUNDLE", "AWS_CA_BUNDLE names the file /no/such"),
        ("profile", "of the profile names the file /no/such"),
    ] {
        let host = Host::new().option("endpoint", stub.url());
        let host = match named {
            "profile" => host.config(&format!("[default]\n{keys}ca_bundle = /no/such\n")),
            variable => host.env(variable, "/no/such"),
        };
        host.run().expect_failure(Code::OptionValue, &[words]);
    }
}

#[test]
fn extra_certificates_are_trusted_besides_whatever_else_decides() {
    let (usual, extra) = (Authority::new(), Authority::new());
    let server = |of: &Authority| Stub::start_tls(of.server(), |_| aws::dynamo(200, &serde_json::json!({})));
    let (known, company) = (server(&usual), server(&extra));
    let (own, itself) = self_signed("127.0.0.1", IsCa::Ca(BasicConstraints::Unconstrained), false);
    for (usual_in, as_text) in
        [("option", false), ("AWS_CA_BUNDLE", false), ("SSL_CERT_FILE", false), ("SSL_CERT_FILE", true)]
    {
        for (stub, trusted_before) in [(&known, true), (&company, false), (&itself, false)] {
            for with_extra in [true, false] {
                eprintln!("{usual_in}, text: {as_text}, known before: {trusted_before}, extra: {with_extra}");
                let mut host = host(stub);
                let text = format!("# the company's\n{}{own}", extra.pem());
                let (bundle, file) = (host.file("usual.pem", usual.pem()), host.file("extra.pem", &text));
                host = match usual_in {
                    "option" => host.option("ca_bundle", bundle.to_str()),
                    variable => host.env(variable, bundle),
                };
                if with_extra {
                    let file = file.display().to_string();
                    host = host.option("extra_ca_bundle", if as_text { text } else { file });
                }
                match trusted_before || with_extra {
                    true => host.run().expect_success(),
                    false => host.run().expect_failure(Code::Connection, &["certificate", "\"extra_ca_bundle\""]),
                }
            }
        }
    }
}

#[test]
fn a_machine_without_authorities_is_told_which_package_has_them() {
    let (_, stub) = https();
    let words =
        ["certificate", "no certificate authorities were found on this machine", "install the package ca-certificates"];
    host(&stub).env("SSL_CERT_FILE", "/no/such/file").run().expect_failure(Code::Connection, &words);
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
        ("empty", Some(""), "no certificate"),
        ("text", Some("PLANTED, not a certificate"), "no certificate"),
        ("damaged", Some(cut.as_str()), "damaged certificate"),
        ("no base64", Some("-----BEGIN CERTIFICATE-----\nPLANTED!\n-----END CERTIFICATE-----\n"), "certificate"),
        ("another thing", Some("-----BEGIN RSA KEY-----\nPLANTED\n-----END RSA KEY-----\n"), "no certificate"),
    ] {
        for option in ["ca_bundle", "extra_ca_bundle"] {
            eprintln!("{name}, {option}");
            let host = host(&stub);
            let bundle = host.home().join("ca.pem");
            if let Some(text) = text {
                host.file("ca.pem", text);
            }
            let named = format!("\"{option}\"");
            host.option(option, bundle.to_str()).run().expect_failure(Code::OptionValue, &[&named, "ca.pem", words]);
        }
        if let Some(text) = text.filter(|text| text.contains("BEGIN")) {
            let host = host(&stub).option("extra_ca_bundle", text);
            host.run().expect_failure(Code::OptionValue, &["\"extra_ca_bundle\" has", words]);
        }
    }
}
