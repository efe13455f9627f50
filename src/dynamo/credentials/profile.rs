//! What the AWS configuration files say, as far as it is not left to the SDK.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::program::Program;

/// The AWS configuration files. A profile given by its name must be there.
pub async fn profiles(given: Option<&str>) -> Result<ProfileSet, CredentialsError> {
    let files = EnvConfigFiles::default();
    let profiles =
        aws_config::profile::load(&Fs::real(), &Env::real(), &files, given.map(|name| name.to_owned().into()))
            .await
            .map_err(CredentialsError::invalid_configuration)?;
    match given {
        Some(name) if profiles.get_profile(name).is_none() => Err(CredentialsError::invalid_configuration(
            unreadable_file()
                .unwrap_or_else(|| format!("the profile \"{name}\" is not in the AWS configuration files")),
        )),
        _ => Ok(profiles),
    }
}

/// What the SDK passes over in silence, and may be why nothing was found.
pub async fn amiss() -> Option<String> {
    if let Some(what) = unreadable_file() {
        return Some(what);
    }
    let profiles = profiles(None).await.ok()?;
    let selected = profiles.selected_profile();
    (selected != "default" && profiles.get_profile(selected).is_none())
        .then(|| format!("the profile \"{selected}\" of AWS_PROFILE is not in the AWS configuration files"))
}

/// The first of the AWS configuration files that is there, or should be, and cannot be read.
fn unreadable_file() -> Option<String> {
    let files = [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
    files.into_iter().find_map(|(variable, usual)| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        let missing_is_fine = named.is_none();
        let path = named.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(usual)))?;
        match std::fs::read_to_string(&path) {
            Err(error) if !(missing_is_fine && error.kind() == ErrorKind::NotFound) => {
                Some(format!("the file {} cannot be read: {error}", path.display()))
            }
            _ => None,
        }
    })
}

/// Where a profile gets its credentials, if that is a way that the SDK is not left to go.
pub struct Base {
    /// The keys, or the program that has them.
    pub source: SharedCredentialsProvider,
    /// In the order in which they are assumed.
    pub roles: Vec<Role>,
}

/// A role that a profile assumes.
pub struct Role {
    /// `role_arn`
    pub arn: String,
    /// `role_session_name`
    pub session_name: Option<String>,
    /// `external_id`
    pub external_id: Option<String>,
}

impl Base {
    /// Follows the roles of the selected profile to a `credential_process`.
    pub fn of(profiles: &ProfileSet) -> Result<Option<Base>, CredentialsError> {
        let mut name = profiles.selected_profile();
        let (mut roles, mut seen) = (Vec::new(), Vec::new());
        loop {
            let Some(profile) = profiles.get_profile(name) else {
                return match seen.last() {
                    None => Ok(None),
                    Some(last) => Err(CredentialsError::invalid_configuration(format!(
                        "the profile \"{name}\", the source_profile of \"{last}\", is not in the AWS configuration files"
                    ))),
                };
            };
            let keys = keys_of(profile);
            if seen.contains(&name) || (!seen.is_empty() && keys.is_some()) {
                return Ok(None);
            }
            seen.push(name);
            let get = |name| profile.get(name).map(ToOwned::to_owned);
            if let (Some(arn), None) = (get("role_arn"), get("web_identity_token_file")) {
                roles.push(Role { arn, session_name: get("role_session_name"), external_id: get("external_id") });
                match profile.get("source_profile") {
                    Some(source) if source != name => {
                        name = source;
                        continue;
                    }
                    Some(_) => {}
                    None => return Ok(None),
                }
            }
            let goes_first = ["credential_source", "web_identity_token_file", "sso_session", "sso_start_url"];
            let Some(command) = get("credential_process") else { return Ok(None) };
            if goes_first.iter().any(|name| profile.get(name).is_some()) {
                return Ok(None);
            }
            roles.reverse();
            // The SDK for Rust would run the program; AWS's other SDKs and its CLI take the keys.
            let source = keys
                .map_or_else(|| SharedCredentialsProvider::new(Program { command }), SharedCredentialsProvider::new);
            return Ok(Some(Base { source, roles }));
        }
    }
}

/// The keys in a profile.
fn keys_of(profile: &Profile) -> Option<Credentials> {
    let (id, secret) = (profile.get("aws_access_key_id")?, profile.get("aws_secret_access_key")?);
    let token = profile.get("aws_session_token").map(ToOwned::to_owned);
    Some(Credentials::new(id, secret, token, None, "profile"))
}
