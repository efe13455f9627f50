//! The AWS configuration files, and the variables that go before them. Read on a loader's thread, and by no poll, which a fork
//! waits for: a file system that hangs would hold up the host. The SDK's parsers are handed what was read.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};
use futures_util::FutureExt;

use super::lines::{encoded, for_the_sdk, properties};
use super::unused::unused;
use super::{LoadFailure, LoadFailureKind};
use crate::dynamo::notices::Notice;
use crate::model::environment::Environment;

/// The AWS configuration files, as they were read, and the variables that go with them.
pub struct Files {
    /// The variables, for the SDK's parsers. One that is set to nothing is not set.
    env: Env,
    config: Read,
    credentials: Read,
    /// What both say, or that they are damaged, without a quoted line.
    profiles: Result<ProfileSet, String>,
}

/// One file, as it was read.
struct Read {
    kind: EnvConfigFileKind,
    path: Option<PathBuf>,
    /// For the SDK's parser; empty where it is missing or no text.
    text: String,
    /// Why it cannot be used, unless it is one that may be missing.
    unreadable: Option<String>,
}

impl Files {
    /// Reads both, with this profile selected, else the one of AWS_PROFILE or AWS_DEFAULT_PROFILE. May hang where their
    /// file system does.
    pub fn read(environment: &Environment, selected: Option<&str>) -> Files {
        use EnvConfigFileKind::{Config, Credentials};
        let mut files = Files {
            config: Read::new(environment, Config, "AWS_CONFIG_FILE", ".aws/config"),
            credentials: Read::new(environment, Credentials, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            env: env(environment),
            profiles: Err(String::new()),
        };
        // The SDK for Rust knows only the first of the two variables.
        let selected =
            selected.or_else(|| environment.get("AWS_PROFILE")).or_else(|| environment.get("AWS_DEFAULT_PROFILE"));
        files.profiles = files.parsed(&files.contents(), selected).ok_or_else(|| files.damage());
        files
    }

    /// What they say. The failure never quotes a line of them.
    pub fn profiles(&self) -> Result<&ProfileSet, String> {
        self.profiles.as_ref().map_err(Clone::clone)
    }

    /// A setting: the variable, else what the profile says.
    pub fn setting(&self, variable: &str, member: &str) -> Option<String> {
        self.value(&EnvConfigValue::new().env(variable).profile(member))
    }

    /// A setting that is true or false, perhaps one that stands in no profile.
    pub fn flag(&self, variable: &str, member: Option<&str>) -> Option<bool> {
        let value = EnvConfigValue::new().env(variable);
        let value = self.value(&match member {
            Some(member) => value.profile(member),
            None => value,
        })?;
        [("true", true), ("false", false)]
            .into_iter()
            .find(|(word, _)| value.eq_ignore_ascii_case(word))
            .map(|(_, flag)| flag)
    }

    /// The URL at which a service is to be asked instead of AWS's own, by the name that the SDKs know it by.
    pub fn endpoint(&self, service: &str) -> Option<String> {
        if self.flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Some("ignore_configured_endpoint_urls")) == Some(true) {
            return None;
        }
        self.value(&EnvConfigValue::new().env("AWS_ENDPOINT_URL").profile("endpoint_url").service_id(service))
    }

    /// The region of the selected profile, else of the one that it builds on.
    pub fn region(&self) -> Option<&str> {
        let profiles = self.profiles.as_ref().ok()?;
        let (mut name, mut seen) = (profiles.selected_profile().to_owned(), Vec::new());
        while !seen.contains(&name) {
            let profile = profiles.get_profile(&name)?;
            if let Some(region) = profile.get("region").filter(|region| !region.is_empty()) {
                return Some(region);
            }
            seen.push(name);
            name = encoded(profile.get("source_profile")?);
        }
        None
    }

    /// The certificates that the selected profile trusts.
    pub fn ca_bundle(&self) -> Option<&str> {
        let profiles = self.profiles.as_ref().ok()?;
        profiles.get_profile(profiles.selected_profile())?.get("ca_bundle").filter(|path| !path.is_empty())
    }

    /// What to say of the selected profile although it can be used.
    pub fn notices(&self) -> Vec<Notice> {
        let Ok(profiles) = &self.profiles else { return Vec::new() };
        let files = [&self.config, &self.credentials];
        let found: Vec<_> = files.into_iter().flat_map(|file| properties(&file.text, file.kind)).collect();
        unused(profiles, &found)
    }

    fn value(&self, value: &EnvConfigValue<'_>) -> Option<String> {
        let found = value.load(&self.env, self.profiles.as_ref().ok());
        found.map(|(value, _)| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Both files, for the SDK.
    fn contents(&self) -> EnvConfigFiles {
        let builder = EnvConfigFiles::builder().with_contents(self.config.kind, &self.config.text);
        builder.with_contents(self.credentials.kind, &self.credentials.text).build()
    }

    /// The first file that is there, or should be, and cannot be read.
    pub fn unreadable(&self) -> Option<&str> {
        [&self.config, &self.credentials].into_iter().find_map(|file| file.unreadable.as_deref())
    }

    fn parsed(&self, files: &EnvConfigFiles, selected: Option<&str>) -> Option<ProfileSet> {
        let selected = selected.map(|name| encoded(name).into());
        let no_files = Fs::from_raw_map(HashMap::new());
        // It has nothing to wait for.
        aws_config::profile::load(&no_files, &self.env, files, selected).now_or_never()?.ok()
    }

    /// Which file the SDK's parser stopped in, and where. Its own message goes on with what it found there.
    fn damage(&self) -> String {
        let damaged = [&self.config, &self.credentials].into_iter().find_map(|file| {
            let lines: Vec<&str> = file.text.lines().collect();
            let parses = |lines: &[&str]| {
                let alone = EnvConfigFiles::builder().with_contents(file.kind, lines.join("\n")).build();
                self.parsed(&alone, None).is_some()
            };
            // The shortest beginning that does not parse ends with the line that is damaged.
            let line = (1..=lines.len()).collect::<Vec<_>>().partition_point(|count| parses(&lines[..*count])) + 1;
            let path = file.path.as_deref().unwrap_or(Path::new("?"));
            (line <= lines.len()).then(|| format!("line {line} of the file {} is damaged", path.display()))
        });
        damaged.unwrap_or_else(|| "the AWS configuration files are damaged".to_owned())
    }
}

impl Read {
    fn new(environment: &Environment, kind: EnvConfigFileKind, variable: &str, usual: &str) -> Read {
        let named = environment.get(variable);
        let home = home(environment);
        let path = match (named, &home) {
            (Some(named), Some(home)) if named.starts_with("~/") => Some(home.join(&named[2..])),
            (Some(named), _) => Some(PathBuf::from(named)),
            (None, home) => home.as_ref().map(|home| home.join(usual)),
        };
        let read = path.as_deref().map(std::fs::read_to_string);
        let unreadable = match (&read, &path) {
            (Some(Err(error)), Some(path)) if named.is_some() || error.kind() != ErrorKind::NotFound => {
                Some(cannot_be_read(path, error))
            }
            _ => None,
        };
        let text = read.and_then(Result::ok).map(|text| for_the_sdk(&text, kind)).unwrap_or_default();
        Read { kind, path, text, unreadable }
    }
}

/// The text of a file with a token. May hang where its file system does.
pub fn token(path: &str) -> Result<String, LoadFailure> {
    let unreadable = |error| LoadFailure::new(LoadFailureKind::Misconfigured, cannot_be_read(Path::new(path), &error));
    std::fs::read_to_string(path).map_err(unreadable)
}

fn env(environment: &Environment) -> Env {
    let set = environment.iter().filter(|(_, value)| !value.is_empty());
    Env::from(set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<HashMap<_, _>>())
}

/// The user's home folder, by the SDK's rule.
pub fn home(environment: &Environment) -> Option<PathBuf> {
    aws_runtime::fs_util::home_dir(&env(environment), aws_runtime::fs_util::Os::real()).map(PathBuf::from)
}

fn cannot_be_read(path: &Path, error: &std::io::Error) -> String {
    format!("the file {} cannot be read: {error}", path.display())
}
