//! What stands in a profile and is not used, which AWS's tools use or nobody knows: a user may count on it. A rule on names,
//! no I/O.

use aws_config::profile::ProfileSet;

use super::lines::{Property, encoded};
use crate::dynamo::notices::Notice;
use crate::dynamo::percent::decoded;
use crate::model::options::LogLevel;

/// What is used of a profile beside [`SOURCES`].
const USED: [&str; 24] = [
    "account_id_endpoint_mode",
    "aws_account_id",
    "aws_secret_access_key",
    "aws_session_token",
    "ca_bundle",
    "duration_seconds",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
    "endpoint_url",
    "external_id",
    "ignore_configured_endpoint_urls",
    "region",
    "role_arn",
    "role_session_name",
    "services",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_start_url",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    // What follows names no setting of ours, and means what it asks for all the same.
    "ec2_metadata_v1_disabled",
    "endpoint_discovery_enabled",
    "sso_registration_scopes",
];

/// What names a source of credentials, in the order in which the first that is there is taken.
const SOURCES: [&str; 8] = [
    "source_profile",
    "credential_source",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "login_session",
    "aws_access_key_id",
    "credential_process",
];

/// What AWS's tools use and this library does not, and why.
const REFUSED: [(&str, &str); 8] = [
    ("mfa_serial", "nobody can be asked for a code"),
    ("retry_mode", "how often is tried again follows from the store's own budget and deadlines"),
    ("max_attempts", "how often is tried again follows from the store's own budget and deadlines"),
    ("defaults_mode", "the options of the store have defaults of their own"),
    ("sts_regional_endpoints", "STS is always asked in the region"),
    ("metadata_service_timeout", "the metadata service is asked three times, each for a second at most"),
    ("metadata_service_num_attempts", "the metadata service is asked three times, each for a second at most"),
    ("policy", "a role is assumed with all of its rights"),
];

/// What is for other services or for the AWS CLI itself, by how it begins.
const ELSEWHERE: [&str; 16] = [
    "api_versions",
    "auth_scheme_preference",
    "cli_",
    "disable_",
    "max_concurrent_",
    "output",
    "parameter_validation",
    "request_",
    "response_",
    "s3",
    "sdk_ua_app_id",
    "sigv4a_signing_region_set",
    "tcp_keepalive",
    "use_accelerate_endpoint",
    "user_agent_",
    // What tools beside AWS's own leave there begins in this way.
    "x_",
];

/// Longest part of a name that is shown, and most digits in all of it: AWS's names are words, and a key that came to the
/// place of a name is not.
const LONGEST_WORD: usize = 16;
const MOST_DIGITS: usize = 2;

/// What to say of the selected profile, and of those that it builds on.
pub fn unused(profiles: &ProfileSet, properties: &[Property<'_>]) -> Vec<Notice> {
    let (mut name, mut seen, mut notices) = (profiles.selected_profile().to_owned(), Vec::new(), Vec::new());
    while let Some(profile) = profiles.get_profile(&name).filter(|_| !seen.contains(&name)) {
        let mut names: Vec<&str> =
            properties.iter().filter(|property| property.profile == name).map(|property| property.name).collect();
        names.sort_unstable();
        names.dedup();
        notices.extend(of_profile(&decoded(&name), &names));
        let next = profile.get("role_arn").and(profile.get("source_profile")).map(encoded);
        seen.push(std::mem::take(&mut name));
        name = next.unwrap_or_default();
    }
    notices
}

/// What to say of a profile that has properties of these names.
fn of_profile(profile: &str, names: &[&str]) -> Vec<Notice> {
    let has = |name: &str| names.contains(&name);
    let mut notices: Vec<Notice> = REFUSED
        .iter()
        .filter(|(name, _)| has(name))
        .map(|(name, why)| warning(format!("the profile \"{profile}\" has {name}, which is not used: {why}")))
        .collect();
    // A profile without a role builds on no other. The start of a sign-in is a part of its session, where it has one.
    let counts = |name: &&str| match *name {
        "source_profile" => has("role_arn"),
        "sso_start_url" => !has("sso_session"),
        _ => true,
    };
    let mut sources = SOURCES.into_iter().filter(|name| has(name)).filter(counts);
    // Keys beside a role without a source of its own, or with itself for one, are what assumes it.
    if let Some(first) = sources.next().filter(|first| *first != "source_profile") {
        notices.extend(sources.map(|other| {
            warning(format!("the profile \"{profile}\" has {other}, which is not used: {first} goes before it"))
        }));
    }
    let known = |name: &str| {
        USED.contains(&name)
            || SOURCES.contains(&name)
            || REFUSED.iter().any(|(refused, _)| *refused == name)
            || ELSEWHERE.iter().any(|beginning| name.starts_with(beginning))
    };
    let unknown: Vec<&str> = names.iter().copied().filter(|name| !known(name)).collect();
    let shown: Vec<&str> = unknown.iter().copied().filter(|name| may_be_shown(name)).collect();
    let mut what = shown.join(", ");
    if shown.len() < unknown.len() {
        let others = unknown.len() - shown.len();
        what += if shown.is_empty() { "" } else { " and " };
        what += &format!("{others} more, whose names are none that AWS has");
    }
    if !unknown.is_empty() {
        let text = format!("the profile \"{profile}\" has properties that are not used: {what}");
        notices.push(Notice { level: LogLevel::Info, text });
    }
    notices
}

fn warning(text: String) -> Notice {
    Notice { level: LogLevel::Warn, text }
}

fn may_be_shown(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    name.bytes().all(usual)
        && name.split(['_', '-']).all(|word| word.len() <= LONGEST_WORD)
        && name.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_may_count_on_is_named_and_what_is_for_others_is_not() {
        const KEYS: [&str; 2] = ["aws_access_key_id", "aws_secret_access_key"];
        for (names, said) in [
            (&["region", "output", "cli_pager", "s3", "x_security_token_expires", KEYS[0], KEYS[1]][..], &[][..]),
            (&["mfa_serial", "role_arn", "source_profile"], &["mfa_serial, which is not used: nobody"]),
            (&["max_attempts", "retry_mode"], &["retry_mode", "max_attempts"]),
            (&["credential_process", KEYS[0], KEYS[1]], &["credential_process, which is not used: aws_access_key_id"]),
            (
                &[KEYS[0], KEYS[1], "sso_session", "sso_start_url", "sso_account_id"],
                &["aws_access_key_id, which is not used: sso_session"],
            ),
            // A profile that assumes a role with keys of its own.
            (&[KEYS[0], KEYS[1], "role_arn", "source_profile"], &[]),
            (&[KEYS[0], KEYS[1], "source_profile"], &[]),
            (&["credential_process_timeout", "regoin"], &["are not used: credential_process_timeout, regoin"]),
            (
                &["wjalrxutnfemi7k7mdengbpxrficyexamplekey", "fwogzxivyxdzebyadhqa0ap"],
                &["are not used: 2 more, whose names are none that AWS has"],
            ),
            (&["akia0123456789", "regoin"], &["are not used: regoin and 1 more"]),
        ] {
            let notices = of_profile("work", names);
            assert_eq!(notices.len(), said.len(), "{names:?}: {notices:?}");
            for (notice, words) in notices.iter().zip(said) {
                assert!(notice.text.contains(words) && notice.text.contains("\"work\""), "{words}: {notice:?}");
            }
        }
    }
}
