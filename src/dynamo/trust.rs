//! Which certificates are trusted. Read on a loader's thread, once for each store, and handed to TLS as they were read.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::failure::innermost;
use crate::model::environment::Environment;
use crate::model::options::{Options, Pem};
use crate::model::{Code, Error, Result};

/// Where Linux distributions keep all authorities in one file, the most common first.
#[cfg(all(unix, not(target_os = "macos")))]
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];
/// Where they keep each in a file of its own.
#[cfg(all(unix, not(target_os = "macos")))]
const FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// Whom a store trusts, and how it speaks TLS.
pub struct Trust {
    config: Arc<ClientConfig>,
    /// Whether the machine has no authorities.
    nobody: bool,
}

impl Trust {
    /// The certificates of the option `ca_bundle`, else of AWS_CA_BUNDLE, else of the profile's `ca_bundle`, else of the
    /// variables that OpenSSL reads, else of the system; and those of the option `extra_ca_bundle`. May block.
    pub fn of(options: &Options, profile: Option<&str>) -> Result<Trust> {
        let named = [
            (options.ca_bundle.as_deref(), "the option \"ca_bundle\""),
            (options.environment.get("AWS_CA_BUNDLE"), "AWS_CA_BUNDLE"),
            (profile, "\"ca_bundle\" of the profile"),
        ];
        let mut trusted = match named.into_iter().find_map(|(path, what)| Some((path?, what))) {
            Some((path, what)) => Trusted::by(Vec::new()).and_of_file(path, what)?,
            None => Trusted::by(of_system(&options.environment)),
        };
        let nobody = trusted.roots.is_empty();
        trusted = match &options.extra_ca_bundle {
            None => trusted,
            Some(Pem::File(path)) => trusted.and_of_file(path, EXTRA)?,
            Some(Pem::Text(text)) => trusted.and_of(text.as_bytes(), |why| refused(format!("{EXTRA} has {why}")))?,
        };
        Ok(Trust { config: trusted.in_config()?, nobody })
    }

    /// For [`tokio_rustls`]; the same each time, so that sessions are resumed.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Why TLS was not agreed upon.
    pub fn in_words(&self, error: &io::Error) -> String {
        let mut words = innermost(error);
        if self.nobody && words.contains("certificate") {
            words.push_str(NOBODY);
        }
        words
    }
}

const EXTRA: &str = "the option \"extra_ca_bundle\"";

fn refused(message: String) -> Error {
    Error::new(Code::OptionValue, message)
}

/// What vouches for a server.
struct Trusted {
    roots: RootCertStore,
    /// What somebody named. Who names a bundle means each certificate in it, authority or not, as with AWS's other SDKs.
    named: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// The authorities of a machine, of which some may be of a kind that TLS has no use for.
    fn by(authorities: Vec<CertificateDer<'static>>) -> Trusted {
        let mut roots = RootCertStore::empty();
        let (_, _unusable) = roots.add_parsable_certificates(authorities);
        Trusted { roots, named: Vec::new() }
    }

    fn and_of_file(self, path: &str, what: &str) -> Result<Trusted> {
        let of_file = |why: &str| refused(format!("{what} names the file {path}, which {why}"));
        let pem = std::fs::read(path).map_err(|error| of_file(&format!("cannot be read ({error})")))?;
        self.and_of(&pem, |why| of_file(&format!("has {why}: give a PEM file with certificate authorities")))
    }

    /// And the certificates of a text in PEM form, whatever stands between them; `refuse` is told what it has instead.
    fn and_of(mut self, pem: &[u8], refuse: impl Fn(&str) -> Error) -> Result<Trusted> {
        let before = self.named.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| refuse("a damaged certificate"))?;
            self.roots.add(certificate.clone()).map_err(|_| refuse("a damaged certificate"))?;
            self.named.push(certificate);
        }
        if self.named.len() == before { Err(refuse("no certificate")) } else { Ok(self) }
    }

    fn in_config(self) -> Result<Arc<ClientConfig>> {
        let unusable = || Error::new(Code::Runtime, "TLS cannot be set up on this machine");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|_| unusable())?;
        let builder = if self.named.is_empty() {
            builder.with_root_certificates(self.roots)
        } else {
            let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots), provider).build();
            let verifier = Bundle { authorities: authorities.map_err(|_| unusable())?, leaves: self.named };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// What is added where no certificate can be trusted.
pub const NOBODY: &str = ", and no certificate authorities were found on this machine";

/// Trusts the authorities of a bundle, and what stands in it itself.
#[derive(Debug)]
struct Bundle {
    authorities: Arc<WebPkiServerVerifier>,
    leaves: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Bundle {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified = self.authorities.verify_server_cert(certificate, between, name, ocsp, now);
        // One that signed itself is an authority by its own word more often than not, and as such is refused to a server,
        // after its dates were looked at. Its name was not.
        let only_an_authority =
            verified.as_ref().is_err_and(|error| format!("{error:?}").contains("CaUsedAsEndEntity"));
        if only_an_authority && self.leaves.iter().any(|leaf| leaf == certificate) {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// Those of the variables, else of the system.
fn of_system(environment: &Environment) -> Vec<CertificateDer<'static>> {
    let (file, folders) = (environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR"));
    if file.is_none() && folders.is_none() {
        return of_platform();
    }
    let mut found = certificates(file.map(Path::new), None);
    for folder in std::env::split_paths(folders.unwrap_or_default()).filter(|path| !path.as_os_str().is_empty()) {
        found.extend(certificates(None, Some(&folder)));
    }
    found
}

#[cfg(all(unix, not(target_os = "macos")))]
fn of_platform() -> Vec<CertificateDer<'static>> {
    let bundle = BUNDLES.into_iter().map(Path::new).find(|path| path.exists());
    let folder = FOLDERS.into_iter().map(Path::new).find(|path| bundle.is_none() && path.exists());
    certificates(bundle, folder)
}

/// The system's own list, which is in no file. This looks for the variables once more.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn of_platform() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

fn certificates(file: Option<&Path>, folder: Option<&Path>) -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_certs_from_paths(file, folder).certs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "it reads files")]
    fn the_variables_name_files_and_folders_and_what_is_no_certificate_is_left_out() {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = || {
            let key = rcgen::KeyPair::generate().expect("a key");
            parameters.self_signed(&key).expect("a certificate").pem()
        };
        let folder = std::env::temp_dir().join(format!("flagstore-trust-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("more")).expect("a folder");
        let file = folder.join("file.pem");
        std::fs::write(&file, authority() + &authority()).expect("a file");
        std::fs::write(folder.join("more/one.pem"), authority()).expect("a file");
        std::fs::write(folder.join("more/none.pem"), "not a certificate").expect("a file");
        let trusted = |variables: &[(&str, String)]| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            of_system(&variables).len()
        };
        let (file, more) = (file.display().to_string(), folder.join("more").display().to_string());
        assert_eq!(trusted(&[("SSL_CERT_FILE", file.clone())]), 2);
        assert_eq!(trusted(&[("SSL_CERT_DIR", format!("{more}:/no/such/folder"))]), 1);
        assert_eq!(trusted(&[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", more)]), 3);
        assert_eq!(trusted(&[("SSL_CERT_FILE", "/no/such/file".into())]), 0);
        std::fs::remove_dir_all(folder).expect("the folder goes");
    }
}
