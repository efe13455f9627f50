//! What the command line asks for.

use std::ffi::OsString;

/// What `--help` prints.
pub const HELP: &str = "\
Serves the DynamoDB API on 127.0.0.1, with the table of a feature store ready to use.

Usage: flagstore-local [OPTIONS]

Options:
  --port N           the port to listen on; 0, the default, takes any free one
  --table NAME       a table to create unless it is there; may be repeated [default: flags]
  --file PATH        keep the data in this SQLite file; without it, data lives in memory
  --exit-with-stdin  also stop when standard input closes, so that it dies with the process that started it
  --help             print this help
  --version          print the version

When ready it prints one line of JSON on standard output:
  {\"url\":\"http://127.0.0.1:PORT\",\"tables\":[\"flags\"],\"pid\":N}

Any credentials and any region are accepted. It stops on SIGTERM and SIGINT.
";

/// The table made when none is named; the one that the examples use.
const DEFAULT_TABLE: &str = "flags";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    Serve(Options),
    Help,
    Version,
}

#[derive(Debug, Default, PartialEq)]
pub struct Options {
    /// 0 takes any free port.
    pub port: u16,
    /// The tables to create, each once, in the order given; never empty once parsed.
    pub tables: Vec<String>,
    /// The SQLite file; in memory without one.
    pub file: Option<String>,
    pub exit_with_stdin: bool,
}

/// Reads the command line; values may follow as the next word or after `=`.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut words = arguments.map(|word| word.into_string().map_err(|word| format!("{word:?} is not UTF-8")));
    while let Some(word) = words.next() {
        let word = word?;
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || {
            let value = inline.clone().map_or_else(|| words.next().transpose(), |value| Ok(Some(value)))?;
            value.filter(|value| !value.is_empty()).ok_or_else(|| format!("option {name} needs a value"))
        };
        match name {
            "--port" => options.port = port(&value()?)?,
            "--table" => add_once(&mut options.tables, value()?),
            "--file" => options.file = Some(value()?),
            "--exit-with-stdin" | "--help" | "-h" | "--version" if inline.is_some() => {
                return Err(format!("option {name} takes no value"));
            }
            "--exit-with-stdin" => options.exit_with_stdin = true,
            "--help" | "-h" => return Ok(Command::Help),
            "--version" => return Ok(Command::Version),
            _ if name.starts_with('-') => return Err(format!("unknown option {name}")),
            _ => return Err(format!("unexpected argument {name:?}")),
        }
    }
    if options.tables.is_empty() {
        options.tables.push(DEFAULT_TABLE.to_owned());
    }
    Ok(Command::Serve(options))
}

fn port(value: &str) -> Result<u16, String> {
    value.parse().map_err(|_| format!("option --port needs a number from 0 to 65535, not {value:?}"))
}

fn add_once(tables: &mut Vec<String>, table: String) {
    if !tables.contains(&table) {
        tables.push(table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match parse_words(line) {
            Ok(Command::Serve(options)) => options,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    #[test]
    fn without_options_it_serves_the_table_flags_in_memory_on_any_free_port() {
        let expected = Options { port: 0, tables: vec!["flags".into()], file: None, exit_with_stdin: false };
        assert_eq!(options(""), expected);
    }

    #[test]
    fn values_follow_as_the_next_word_or_after_an_equals_sign() {
        let expected = Options {
            port: 8000,
            tables: vec!["one".into(), "two".into()],
            file: Some("a=b.db".into()),
            exit_with_stdin: true,
        };
        assert_eq!(
            options("--port 8000 --table one --table two --table one --file a=b.db --exit-with-stdin"),
            expected
        );
        assert_eq!(options("--port=8000 --table=one --table=two --file=a=b.db --exit-with-stdin"), expected);
    }

    #[test]
    fn help_and_version_are_commands_of_their_own() {
        assert_eq!(parse_words("--help"), Ok(Command::Help));
        assert_eq!(parse_words("--port 1 --version"), Ok(Command::Version));
    }

    #[test]
    fn a_wrong_command_line_names_the_word_that_is_wrong() {
        for (line, message) in [
            ("--prot 1", "unknown option --prot"),
            ("-p", "unknown option -p"),
            ("flags", "unexpected argument \"flags\""),
            ("--port", "option --port needs a value"),
            ("--table=", "option --table needs a value"),
            ("--port http", "option --port needs a number from 0 to 65535, not \"http\""),
            ("--port 65536", "option --port needs a number from 0 to 65535, not \"65536\""),
            ("--help=yes", "option --help takes no value"),
        ] {
            assert_eq!(parse_words(line), Err(message.to_owned()), "{line}");
        }
    }
}
