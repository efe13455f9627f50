//! What the command line asks for.

use std::ffi::OsString;
use std::io::Read;

use flagstore::model::options::Options;
use serde_json::{Map, Value};

/// What `--help` prints.
pub const HELP: &str = "\
Looks at the DynamoDB table of a LaunchDarkly feature store, and never writes.

Usage:
  flagstore doctor [OPTIONS]         find out what is wrong between here and the flags, and what to do about it
  flagstore ls [KIND...] [OPTIONS]   list rows: kind, version, bytes, key, and whether they can be read
  flagstore get KIND KEY [OPTIONS]   print the payload of one item
  flagstore diff [KIND...] [OPTIONS] compare with another table or prefix, as SDKs read them

Kinds are features and segments, which ls and diff look at unless others are named.

Options, which are those of the library:
  --table NAME       name or ARN of the table; required
  --prefix TEXT      prefix of its namespaces
  --region NAME      AWS region
  --endpoint URL     another DynamoDB endpoint
  --profile NAME     profile of the AWS configuration files
  --option NAME=JSON any other option, such as timeout_ms=1000 or cache_dir=/var/cache/flags (what is no JSON is text);
                     secrets are refused here, where others see them
  --options FILE     a JSON object of options; `-` reads it from standard input
  --to-table, --to-prefix, --to-region, --to-endpoint, --to-profile, --to-option
                     for diff: what is different on the right side
  --json             print JSON, one object a line
  --help             print this help
  --version          print the version

What is not given comes from where the library takes it: AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID and its like,
AWS_ENDPOINT_URL_DYNAMODB, AWS_CA_BUNDLE, HTTPS_PROXY and NO_PROXY, the AWS configuration files, the container or the
instance. So run it where the process runs that misses its flags, as the same user.

Exit status: 0 all is well (doctor: no problem; diff: the same; get: found), 1 it is not, 2 the command line or an option
is wrong, 3 the table could not be asked (ls, get, diff) or nothing could be printed.
";

/// What may not stand on a command line.
const SECRETS: [&str; 2] = ["secret_access_key", "session_token"];
/// The options with a word of their own.
const OWN: [&str; 5] = ["table", "prefix", "region", "endpoint", "profile"];

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    Do { task: Task, options: Box<Options>, json: bool },
    Help,
    Version,
}

#[derive(Debug, PartialEq)]
pub enum Task {
    Doctor,
    List { kinds: Vec<String> },
    Get { kind: String, key: String },
    Diff { kinds: Vec<String>, to: Box<Options> },
}

/// Reads the command line; values may follow as the next word or after `=`.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    parse_with(arguments, read_file)
}

fn read_file(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => std::fs::read_to_string(path).map(|content| text = content),
    };
    read.map_err(|error| format!("{path:?} cannot be read: {error}"))?;
    Ok(text)
}

fn parse_with(
    arguments: impl Iterator<Item = OsString>,
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Command, String> {
    let mut words = arguments.map(|word| word.into_string().map_err(|word| format!("{word:?} is not UTF-8")));
    let (mut plain, mut given, mut other) = (Vec::new(), Map::new(), Map::new());
    let mut json = false;
    let mut only_plain = false;
    while let Some(word) = words.next() {
        let word = word?;
        let Some(option) = word.strip_prefix("--").filter(|_| !only_plain) else {
            plain.push(word);
            continue;
        };
        let (name, inline) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (option, None),
        };
        let mut value = || {
            let value = inline.clone().map_or_else(|| words.next().transpose(), |value| Ok(Some(value)))?;
            value.ok_or_else(|| format!("option --{name} needs a value"))
        };
        let (of_right, bare) = name.strip_prefix("to-").map_or((false, name), |bare| (true, bare));
        let side = if of_right { &mut other } else { &mut given };
        match bare {
            "help" if !of_right => return Ok(Command::Help),
            "version" if !of_right => return Ok(Command::Version),
            "json" if !of_right && inline.is_none() => json = true,
            "" if !of_right => only_plain = true,
            "options" if !of_right => side.extend(object(&read(&value()?)?)?),
            "option" => {
                let (name, value) = member(&value()?)?;
                side.insert(name, value);
            }
            bare if OWN.contains(&bare) => drop(side.insert(bare.to_owned(), value()?.into())),
            _ => return Err(format!("there is no option --{name}")),
        }
    }
    let mut plain = plain.into_iter();
    let task = plain.next().ok_or("say what to do: doctor, ls, get or diff")?;
    let rest: Vec<String> = plain.collect();
    if task != "diff" && !other.is_empty() {
        return Err("the options that begin with --to- are for diff".to_owned());
    }
    let kinds = |rest: Vec<String>| {
        if rest.is_empty() { vec!["segments".to_owned(), "features".to_owned()] } else { rest }
    };
    let task = match (task.as_str(), <[String; 2]>::try_from(rest.clone())) {
        ("doctor", _) if rest.is_empty() => Task::Doctor,
        ("ls", _) => Task::List { kinds: kinds(rest) },
        ("get", Ok([kind, key])) => Task::Get { kind, key },
        ("get", Err(_)) => return Err("get takes a kind and a key, such as: get features checkout".to_owned()),
        ("diff", _) if other.is_empty() => {
            return Err("diff needs the other side, such as --to-prefix production".to_owned());
        }
        ("diff", _) => {
            let mut to = given.clone();
            to.extend(other);
            Task::Diff { kinds: kinds(rest), to: Box::new(options(to)?) }
        }
        ("doctor", _) => return Err(format!("doctor takes no {:?}", rest.concat())),
        (unknown, _) => return Err(format!("there is no command {unknown:?}: there are doctor, ls, get and diff")),
    };
    Ok(Command::Do { task, options: Box::new(options(given)?), json })
}

fn options(given: Map<String, Value>) -> Result<Options, String> {
    if !given.contains_key("table") {
        return Err("say which table: --table NAME".to_owned());
    }
    Options::from_json(&Value::Object(given).to_string()).map_err(|error| error.to_string())
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err("the file of --options does not hold a JSON object".to_owned()),
    }
}

/// `NAME=JSON`; what is no JSON is text.
fn member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("--option takes NAME=JSON, such as timeout_ms=1000")?;
    // A proxy's URL may hold a password.
    if SECRETS.contains(&name) || name == "proxy" && value.contains('@') {
        return Err(format!(
            "\"{name}\" is not taken from the command line, which others on this machine can see: use the environment, a profile, or --options FILE"
        ));
    }
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        let read = |path: &str| match path {
            "options.json" => Ok(r#"{"table":"of the file","secret_access_key":"s","access_key_id":"a"}"#.to_owned()),
            _ => Err(format!("{path:?} cannot be read")),
        };
        parse_with(line.split_whitespace().map(OsString::from), read)
    }

    fn options_of(line: &str) -> Options {
        match parsed(line) {
            Ok(Command::Do { options, .. }) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_to_do_and_where() {
        assert_eq!(parsed("--help"), Ok(Command::Help));
        assert_eq!(parsed("doctor --version"), Ok(Command::Version));
        assert_eq!(options_of("doctor --table flags --json"), Options::for_table("flags"));
        let options = options_of("ls --table=flags --prefix p --option timeout_ms=7 --option log_level=off features");
        assert_eq!((&*options.prefix, options.timeout.as_millis()), ("p", 7));
        assert_eq!(options_of("doctor --options options.json --table mine").table, "mine");
        let Ok(Command::Do { task: Task::Get { kind, key }, json: false, .. }) =
            parsed("get --table t -- features --x")
        else {
            panic!("a key may begin with anything")
        };
        assert_eq!((&*kind, &*key), ("features", "--x"));
        let Ok(Command::Do { task: Task::Diff { kinds, to }, options, .. }) =
            parsed("diff --table t --prefix a --to-prefix b")
        else {
            panic!("a diff")
        };
        assert_eq!((&*options.prefix, &*to.prefix, &*to.table), ("a", "b", "t"));
        assert_eq!(kinds, ["segments", "features"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, words) in [
            ("", "doctor, ls, get or diff"),
            ("dctor --table t", "\"dctor\""),
            ("doctor", "--table NAME"),
            ("doctor features --table t", "\"features\""),
            ("doctor --tabel t", "--tabel"),
            ("doctor --table", "--table needs a value"),
            ("doctor --table t --to-prefix p", "--to-"),
            ("diff --table t", "--to-prefix"),
            ("get features --table t", "a kind and a key"),
            ("doctor --table t --option timeout_ms", "NAME=JSON"),
            ("doctor --table t --option secret_access_key=s3cr3t", "others on this machine"),
            ("doctor --table t --option proxy=http://u:s3cr3t@proxy", "others on this machine"),
            ("doctor --table t --option tabel=x", "\"tabel\""),
            ("doctor --table t --option timeout_ms=fast", "\"timeout_ms\""),
            ("doctor --options nowhere.json", "nowhere.json"),
            ("doctor --table t --to-options x", "--to-options"),
        ] {
            let message = parsed(line).expect_err(line);
            assert!(message.contains(words) && !message.contains("s3cr3t"), "{line}: {message}");
        }
    }
}
