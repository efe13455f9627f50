//! The AWS configuration files as the AWS CLI reads them, made so that the SDK's parser reads the same: names of profiles with
//! spaces, in quotes or of other letters, properties that are all indented, and comments that are.
//!
//! Line by line, so that the number of one that is damaged stays what it is.

use crate::dynamo::percent;

use aws_runtime::env_config::file::EnvConfigFileKind as Kind;

/// The name of a property, in small letters as the SDK has it, and the profile that it stands in, [`encoded`].
#[derive(Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// The profile's name.
    pub profile: &'a str,
    /// The property's.
    pub name: &'a str,
}

/// The properties of every profile, of a file that was made [`for_the_sdk`].
pub fn properties(text: &str, kind: Kind) -> Vec<Property<'_>> {
    let mut profile = None;
    let mut properties = Vec::new();
    for line in text.lines() {
        if let Some((inner, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            profile = match (inner.split_once(' '), kind) {
                (Some(("profile", name)), Kind::Config) => Some(name),
                (None, Kind::Config) => Some(inner).filter(|name| *name == "default"),
                (None, _) => Some(inner),
                (Some(_), _) => None,
            };
        } else if let (Some(profile), Some((name, _))) = (profile, line.split_once('='))
            && !line.starts_with([' ', '\t'])
        {
            properties.push(Property { profile, name: name.trim_end() });
        }
    }
    properties
}

/// The same file, for the SDK's parser. Names in it are [`encoded`].
pub fn for_the_sdk(text: &str, kind: Kind) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / 16);
    // How far the property is indented that an indented line may go on with.
    let mut property: Option<usize> = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let goes_on = property.is_some_and(|property| indent > property);
        if trimmed.starts_with(['#', ';']) {
            // An indented comment would go on with what is before it.
        } else if trimmed.starts_with('[') && !goes_on {
            property = None;
            lines.push_str(&section(trimmed, kind));
        } else if goes_on || trimmed.is_empty() {
            lines.push_str(line);
        } else {
            property = Some(indent);
            let name = trimmed.find('=').unwrap_or(0);
            lines.push_str(&trimmed[..name].to_ascii_lowercase());
            lines.push_str(&trimmed[name..]);
        }
        lines.push('\n');
    }
    lines
}

fn section(line: &str, kind: Kind) -> String {
    // One that is not closed stays as it is, and is damaged.
    let Some((inner, _)) = line.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) else {
        return line.to_owned();
    };
    let inner = inner.trim();
    match inner.split_once([' ', '\t']) {
        Some((prefix, name)) if matches!(kind, Kind::Config) => {
            format!("[{prefix} {}]", encoded(unquoted(name.trim())))
        }
        _ => format!("[{}]", encoded(unquoted(inner))),
    }
}

fn unquoted(name: &str) -> &str {
    let within = |quote: char| name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(name)
}

/// A profile's name in letters that the SDK's parser takes.
pub fn encoded(name: &str) -> String {
    percent::encoded(name, b"_-/.@:+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_mean_what_they_mean_to_the_aws_cli() {
        for (text, config) in [
            ("[default]\na = 1\n", "[default]\na = 1\n"),
            ("[profile \"my work\"] # mine\na=1", "[profile my%20work]\na=1\n"),
            ("[ profile  'é' ]\na=1", "[profile %C3%A9]\na=1\n"),
            ("[profile 100%]\na=1", "[profile 100%25]\na=1\n"),
            ("[default]\n  a = 1\n  b = 2\n", "[default]\na = 1\nb = 2\n"),
            ("[default]\n  s3 =\n    x = 1\n  b = 2\n", "[default]\ns3 =\n    x = 1\nb = 2\n"),
            ("[default]\ns3 =\n  x = 1\n  # no\n  y = 2\nb = 2\n", "[default]\ns3 =\n  x = 1\n\n  y = 2\nb = 2\n"),
            ("  [default]\na = 1", "[default]\na = 1\n"),
            ("[default\nsecret", "[default\nsecret\n"),
            ("# no\n\n[default]\r\na = 1\r\n", "\n\n[default]\na = 1\n"),
            ("[default]\nRegion = EU", "[default]\nregion = EU\n"),
        ] {
            assert_eq!(for_the_sdk(text, Kind::Config), config, "{text:?}");
        }
        assert_eq!(for_the_sdk("[my work]\na=1", Kind::Credentials), "[my%20work]\na=1\n");
        assert_eq!(for_the_sdk("[profile x]\na=1", Kind::Credentials), "[profile%20x]\na=1\n");
    }

    #[test]
    fn properties_are_those_of_profiles() {
        let text = "a = 0\n[default]\na = 1\ns3 =\n  b = 2\n[profile \"my work\"]\nC=3\n[sso-session x]\nd = 4\n[work]\ne = 5\n";
        let found = |kind| {
            let text = for_the_sdk(text, kind);
            let found = properties(&text, kind);
            found.iter().map(|property| format!("{}.{}", property.profile, property.name)).collect::<Vec<_>>()
        };
        assert_eq!(found(Kind::Config), ["default.a", "default.s3", "my%20work.c"]);
        let of_credentials = found(Kind::Credentials);
        assert_eq!(of_credentials[..2], ["default.a", "default.s3"]);
        assert_eq!(of_credentials.last().map(String::as_str), Some("work.e"));
    }

    #[test]
    fn a_name_comes_back_as_it_was() {
        for name in ["default", "my work", "é \"x\"", "100%", "a/b.c@d:e+f-g_h", "%zz", ""] {
            assert_eq!(percent::decoded(&encoded(name)), name);
        }
    }
}
