//! What the AWS configuration files say, as far as it is not left to the SDK.

use std::time::Duration;

use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::Credentials;

use super::files::Files;
use super::program;
use super::{LoadFailure, LoadFailureKind};
use crate::model::environment::Environment;

/// The AWS configuration files. A profile given by its name must be there.
pub fn profiles(files: &Files, given: Option<&str>) -> Result<ProfileSet, LoadFailure> {
    let profiles = files.profiles(given).map_err(misconfigured)?;
    match given {
        Some(name) if profiles.get_profile(name).is_none() => {
            let missing = || format!("the profile \"{name}\" is not in the AWS configuration files");
            Err(misconfigured(files.unreadable().map_or_else(missing, ToOwned::to_owned)))
        }
        _ => Ok(profiles),
    }
}

/// That the selected profile is not there, which the SDK passes over in silence.
pub fn missing_profile(profiles: &ProfileSet) -> Option<String> {
    let selected = profiles.selected_profile();
    (selected != "default" && profiles.get_profile(selected).is_none())
        .then(|| format!("the profile \"{selected}\" of AWS_PROFILE is not in the AWS configuration files"))
}

/// Whether the selected profile says where credentials come from.
pub fn has_credentials(profiles: &ProfileSet) -> bool {
    const WAYS: [&str; 7] = [
        "aws_access_key_id",
        "role_arn",
        "credential_process",
        "sso_session",
        "sso_start_url",
        "web_identity_token_file",
        "login_session",
    ];
    let profile = profiles.get_profile(profiles.selected_profile());
    profile.is_some_and(|profile| WAYS.iter().any(|name| profile.get(name).is_some()))
}

/// Where a profile gets its credentials, if that is a way that the SDK is not left to go.
pub struct Base {
    /// What the first role is assumed with.
    pub source: Source,
    /// In the order in which they are assumed.
    pub roles: Vec<Role>,
}

/// Where the first credentials come from.
pub enum Source {
    /// They stand in the profile, or in the environment that it points to.
    Keys(Credentials),
    /// A shell command prints them.
    Program(String),
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

impl Source {
    /// Gets them. A program may run for so long.
    pub fn credentials(self, timeout: Duration) -> Result<Credentials, LoadFailure> {
        match self {
            Source::Keys(keys) => Ok(keys),
            Source::Program(command) => program::credentials(&command, timeout),
        }
    }
}

impl Base {
    /// The keys that stand in the selected profile, which need nobody to be asked. Else follows its roles to a
    /// `credential_process`, or to the keys of the environment, which the SDK would not look for behind a profile that goes
    /// before them.
    pub fn of(profiles: &ProfileSet, environment: &Environment) -> Result<Option<Base>, LoadFailure> {
        let mut name = profiles.selected_profile();
        let (mut roles, mut seen) = (Vec::new(), Vec::new());
        loop {
            let Some(profile) = profiles.get_profile(name) else {
                return match seen.last() {
                    None => Ok(None),
                    Some(last) => Err(misconfigured(format!(
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
                match (profile.get("source_profile"), profile.get("credential_source")) {
                    (Some(source), _) if source != name => {
                        name = source;
                        continue;
                    }
                    (Some(_), _) => {}
                    (None, Some(source)) if source.eq_ignore_ascii_case("Environment") => {
                        roles.reverse();
                        return Ok(keys_in(environment).map(|keys| Base { source: Source::Keys(keys), roles }));
                    }
                    (None, _) => return Ok(None),
                }
            }
            let goes_first =
                ["credential_source", "web_identity_token_file", "sso_session", "sso_start_url", "login_session"];
            if goes_first.iter().any(|name| profile.get(name).is_some()) {
                return Ok(None);
            }
            let source = match (keys, get("credential_process")) {
                // The SDK for Rust would run the program; AWS's other SDKs and its CLI take the keys.
                (Some(keys), _) => Source::Keys(keys),
                (None, Some(command)) => Source::Program(command),
                (None, None) => return Ok(None),
            };
            roles.reverse();
            return Ok(Some(Base { source, roles }));
        }
    }
}

/// The keys in a profile.
fn keys_of(profile: &Profile) -> Option<Credentials> {
    let get = |name| profile.get(name).filter(|value| !value.is_empty());
    let (id, secret) = (get("aws_access_key_id")?, get("aws_secret_access_key")?);
    let token = get("aws_session_token").map(ToOwned::to_owned);
    Some(Credentials::new(id, secret, token, None, "profile"))
}

/// The keys in the environment. A line break at an end is one that nobody meant.
pub fn keys_in(environment: &Environment) -> Option<Credentials> {
    let get = |name| environment.get(name).map(str::trim).filter(|value| !value.is_empty()).map(ToOwned::to_owned);
    let secret = get("AWS_SECRET_ACCESS_KEY")?;
    let mut credentials = Credentials::builder().access_key_id(get("AWS_ACCESS_KEY_ID")?).secret_access_key(secret);
    credentials.set_session_token(get("AWS_SESSION_TOKEN"));
    credentials.set_account_id(get("AWS_ACCOUNT_ID").map(Into::into));
    Some(credentials.provider_name("environment").build())
}

/// A variable without the one that belongs to it, which the SDK passes over in silence.
pub fn half_set(environment: &Environment) -> Option<String> {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ];
    let set = |name: &str| environment.get(name).is_some();
    let (given, missing) = pairs.into_iter().find(|(given, other)| set(given) && !set(other))?;
    Some(format!("{given} is set without {missing}"))
}

fn misconfigured(why: String) -> LoadFailure {
    LoadFailure::new(LoadFailureKind::Misconfigured, why)
}
