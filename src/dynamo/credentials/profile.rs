//! What the AWS configuration files say about credentials.

use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::Credentials;

use super::files::Files;
use super::lines::encoded;
use super::sso::SignIn;
use super::{LoadFailure, LoadFailureKind};
use crate::dynamo::percent::decoded;
use crate::model::environment::Environment;

/// What the AWS configuration files say. A profile given by its name must be there.
pub fn profiles<'a>(files: &'a Files, given: Option<&str>) -> Result<&'a ProfileSet, LoadFailure> {
    let profiles = files.profiles().map_err(misconfigured)?;
    match given {
        Some(name) if profiles.get_profile(&encoded(name)).is_none() => {
            let missing = || format!("the profile \"{name}\" is not in the AWS configuration files");
            Err(misconfigured(files.unreadable().map_or_else(missing, ToOwned::to_owned)))
        }
        _ => Ok(profiles),
    }
}

/// That the selected profile is not there, which AWS's SDKs pass over in silence.
pub fn missing_profile(profiles: &ProfileSet) -> Option<String> {
    let selected = profiles.selected_profile();
    (selected != "default" && profiles.get_profile(selected).is_none())
        .then(|| format!("the profile \"{}\" of AWS_PROFILE is not in the AWS configuration files", decoded(selected)))
}

/// Where a profile gets its credentials.
#[derive(Debug)]
pub struct Chain {
    /// What the first role is assumed with.
    pub source: Source,
    /// In the order in which they are assumed.
    pub roles: Vec<Role>,
}

/// Where the first credentials come from.
#[derive(Debug)]
pub enum Source {
    /// They stand in the profile.
    Keys(Credentials),
    /// A shell command prints them. They are of this account, unless it says otherwise.
    Program(String, Option<String>),
    /// STS gives them for what a file holds.
    Token(String, Role),
    /// IAM Identity Center.
    SignIn(SignIn),
    /// The session of this name, of `aws login`.
    Login(String),
    /// The variables of the environment.
    Environment,
    /// The endpoint of the container.
    Container,
    /// The metadata service of the instance.
    Instance,
}

/// A role that a profile assumes.
#[derive(Debug, Clone)]
pub struct Role {
    /// `role_arn`
    pub arn: String,
    /// `role_session_name`
    pub session_name: Option<String>,
    /// `external_id`
    pub external_id: Option<String>,
    /// `duration_seconds`
    pub duration_seconds: Option<String>,
    /// `mfa_serial`, which is not used: there is nobody to ask for a code.
    pub mfa_serial: Option<String>,
}

impl Chain {
    /// Follows the selected profile to where its first credentials come from. `None` if it says nothing of credentials, or is
    /// not there.
    pub fn of(profiles: &ProfileSet) -> Result<Option<Chain>, LoadFailure> {
        let mut name = profiles.selected_profile().to_owned();
        let (mut roles, mut seen) = (Vec::new(), Vec::<String>::new());
        loop {
            let Some(profile) = profiles.get_profile(&name) else {
                return match seen.last() {
                    None => Ok(None),
                    Some(last) => Err(misconfigured(format!(
                        "the profile \"{}\", the source_profile of \"{last}\", is not in the AWS configuration files",
                        decoded(&name)
                    ))),
                };
            };
            if seen.contains(&decoded(&name)) {
                return Err(misconfigured(format!(
                    "the profiles are each other's source_profile, in a loop: {}",
                    seen.join(", ")
                )));
            }
            seen.push(decoded(&name));
            let source = match keys_of(profile)? {
                // What another profile builds on is its keys, if it has any.
                Some(keys) if seen.len() > 1 => Some(Source::Keys(keys)),
                keys => match role_of(profile) {
                    Some(role) => {
                        roles.push(role);
                        match source_of_role(profile)? {
                            Next::Profile(next) => {
                                name = encoded(next);
                                continue;
                            }
                            Next::Source(source) => Some(source),
                            Next::Itself => source_of(profiles, profile, keys)?,
                        }
                    }
                    None => source_of(profiles, profile, keys)?,
                },
            };
            roles.reverse();
            return match (source, &seen[..]) {
                (Some(source), _) => Ok(Some(Chain { source, roles })),
                (None, [_]) if roles.is_empty() => Ok(None),
                (None, _) => Err(misconfigured(format!(
                    "the profile \"{}\" has no credentials to assume a role with",
                    decoded(&name)
                ))),
            };
        }
    }
}

/// Where the credentials come from with which a role is assumed.
enum Next<'a> {
    Profile(&'a str),
    Source(Source),
    /// They stand in the same profile.
    Itself,
}

fn source_of_role(profile: &Profile) -> Result<Next<'_>, LoadFailure> {
    let name = decoded(profile.name());
    match (profile.get("source_profile"), profile.get("credential_source")) {
        (Some(_), Some(_)) => {
            Err(misconfigured(format!("the profile \"{name}\" has both source_profile and credential_source")))
        }
        (Some(source), None) if source == name => Ok(Next::Itself),
        (Some(source), None) => Ok(Next::Profile(source)),
        (None, Some(source)) => named(&name, source).map(Next::Source),
        (None, None) => Err(misconfigured(format!(
            "the profile \"{name}\" has a role_arn, and neither source_profile nor credential_source"
        ))),
    }
}

fn named(profile: &str, source: &str) -> Result<Source, LoadFailure> {
    match source.to_ascii_lowercase().as_str() {
        "environment" => Ok(Source::Environment),
        "ecscontainer" => Ok(Source::Container),
        "ec2instancemetadata" => Ok(Source::Instance),
        _ => Err(misconfigured(format!(
            "credential_source of the profile \"{profile}\" is none of Environment, EcsContainer and Ec2InstanceMetadata"
        ))),
    }
}

/// What a profile says beside its role.
fn source_of(
    profiles: &ProfileSet,
    profile: &Profile,
    keys: Option<Credentials>,
) -> Result<Option<Source>, LoadFailure> {
    let get = |name| profile.get(name).map(ToOwned::to_owned);
    if let Some(source) = profile.get("credential_source") {
        return named(&decoded(profile.name()), source).map(Some);
    }
    if let Some(file) = get("web_identity_token_file") {
        let missing = || {
            misconfigured(format!(
                "the profile \"{}\" has web_identity_token_file without role_arn",
                decoded(profile.name())
            ))
        };
        return Ok(Some(Source::Token(file, a_role(profile).ok_or_else(missing)?)));
    }
    if ["sso_session", "sso_start_url"].iter().any(|name| profile.get(name).is_some()) {
        return sign_in(profiles, profile).map(|sign_in| Some(Source::SignIn(sign_in)));
    }
    if let Some(session) = get("login_session") {
        return Ok(Some(Source::Login(session)));
    }
    Ok(match (keys, get("credential_process")) {
        // The SDK for Rust would run the program; AWS's other SDKs and its CLI take the keys.
        (Some(keys), _) => Some(Source::Keys(keys)),
        (None, Some(command)) => Some(Source::Program(command, get("aws_account_id"))),
        (None, None) => None,
    })
}

fn role_of(profile: &Profile) -> Option<Role> {
    // With a token the role is where everything begins, and not assumed with other credentials.
    profile.get("web_identity_token_file").map_or_else(|| a_role(profile), |_| None)
}

fn a_role(profile: &Profile) -> Option<Role> {
    let get = |name| profile.get(name).filter(|value| !value.is_empty()).map(ToOwned::to_owned);
    Some(Role {
        arn: get("role_arn")?,
        session_name: get("role_session_name"),
        external_id: get("external_id"),
        duration_seconds: get("duration_seconds"),
        mfa_serial: get("mfa_serial"),
    })
}

fn sign_in(profiles: &ProfileSet, profile: &Profile) -> Result<SignIn, LoadFailure> {
    let session = profile.get("sso_session");
    let of_session = match session {
        None => None,
        Some(session) => Some(profiles.sso_session(&encoded(session)).ok_or_else(|| {
            misconfigured(format!("the sso-session \"{session}\" is not in the AWS configuration files"))
        })?),
    };
    let of_profile = |name: &str| profile.get(name).map(ToOwned::to_owned);
    let of_either =
        |name: &str| of_session.map_or_else(|| of_profile(name), |session| session.get(name).map(ToOwned::to_owned));
    let given = |name: &str, value: Option<String>| {
        let missing = || {
            misconfigured(format!(
                "the profile \"{}\" signs in by IAM Identity Center without {name}",
                decoded(profile.name())
            ))
        };
        value.filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    Ok(SignIn {
        session: session.map(ToOwned::to_owned),
        start_url: given("sso_start_url", of_either("sso_start_url"))?,
        region: given("sso_region", of_either("sso_region"))?,
        account: given("sso_account_id", of_profile("sso_account_id"))?,
        role: given("sso_role_name", of_profile("sso_role_name"))?,
    })
}

/// The keys in a profile.
fn keys_of(profile: &Profile) -> Result<Option<Credentials>, LoadFailure> {
    let get = |name| profile.get(name).filter(|value| !value.is_empty());
    let half = |given: &str, missing: &str| {
        Err(misconfigured(format!("the profile \"{}\" has {given} without {missing}", decoded(profile.name()))))
    };
    let (id, secret) = match (get("aws_access_key_id"), get("aws_secret_access_key")) {
        (Some(id), Some(secret)) => (id, secret),
        (None, None) => return Ok(None),
        (Some(_), None) => return half("aws_access_key_id", "aws_secret_access_key"),
        (None, Some(_)) => return half("aws_secret_access_key", "aws_access_key_id"),
    };
    let mut credentials = Credentials::builder().access_key_id(id).secret_access_key(secret).provider_name("profile");
    credentials.set_session_token(get("aws_session_token").map(ToOwned::to_owned));
    credentials.set_account_id(get("aws_account_id").map(Into::into));
    Ok(Some(credentials.build()))
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

fn misconfigured(why: impl AsRef<str>) -> LoadFailure {
    LoadFailure::new(LoadFailureKind::Misconfigured, why)
}
