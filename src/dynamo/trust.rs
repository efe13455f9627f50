//! Which certificate authorities are trusted. Read on a loader's thread: the SDK would read them, and the variables that
//! name them, on the thread that connects first.

use std::path::Path;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_smithy_types::base64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::model::environment::Environment;
use crate::model::options::Options;
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

/// The authorities of the option `ca_bundle`, else of the variables, else of the system. May block.
pub fn trusted(options: &Options) -> Result<TlsContext> {
    let pem = match &options.ca_bundle {
        Some(path) => of_bundle(path)?,
        None => of_system(&options.environment),
    };
    context(TrustStore::empty().with_pem_certificate(pem))
}

/// No authorities at all: for connections without TLS that are made by what could do it.
pub fn nobody() -> Result<TlsContext> {
    context(TrustStore::empty())
}

fn context(store: TrustStore) -> Result<TlsContext> {
    let unusable = |_| Error::new(Code::OptionValue, "TLS cannot be set up with the certificates of \"ca_bundle\"");
    TlsContext::builder().with_trust_store(store).build().map_err(unusable)
}

/// The text of a PEM file. The SDK's client panics on certificates that it cannot use, so each is tried before.
fn of_bundle(path: &str) -> Result<Vec<u8>> {
    let refuse =
        |why: String| Error::new(Code::OptionValue, format!("the option \"ca_bundle\" names the file {path}, {why}"));
    let pem = std::fs::read(path).map_err(|error| refuse(format!("which cannot be read ({error})")))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(drop).and_then(|certificate| store.add(certificate).map_err(drop)).map_err(|()| {
            refuse("which has a damaged certificate: give a PEM file with certificate authorities".into())
        })?;
    }
    if store.is_empty() {
        return Err(refuse("which has no certificate: give a PEM file with certificate authorities".into()));
    }
    Ok(pem)
}

/// Those of the variables, else of the system, without those that cannot be used.
fn of_system(environment: &Environment) -> Vec<u8> {
    let (file, folders) = (environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR"));
    let found = if file.is_none() && folders.is_none() {
        of_platform()
    } else {
        let mut found = certificates(file.map(Path::new), None);
        for folder in std::env::split_paths(folders.unwrap_or_default()).filter(|path| !path.as_os_str().is_empty()) {
            found.extend(certificates(None, Some(&folder)));
        }
        found
    };
    let mut store = RootCertStore::empty();
    let usable = found.iter().filter(|certificate| store.add((*certificate).clone()).is_ok());
    let pem = usable.map(|certificate| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64::encode(certificate))
    });
    pem.collect::<String>().into_bytes()
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
            let pem = of_system(&variables);
            CertificateDer::pem_slice_iter(&pem).flatten().count()
        };
        let (file, more) = (file.display().to_string(), folder.join("more").display().to_string());
        assert_eq!(trusted(&[("SSL_CERT_FILE", file.clone())]), 2);
        assert_eq!(trusted(&[("SSL_CERT_DIR", format!("{more}:/no/such/folder"))]), 1);
        assert_eq!(trusted(&[("SSL_CERT_FILE", file), ("SSL_CERT_DIR", more)]), 3);
        assert_eq!(trusted(&[("SSL_CERT_FILE", "/no/such/file".into())]), 0);
        std::fs::remove_dir_all(folder).expect("the folder goes");
    }
}
