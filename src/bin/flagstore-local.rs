//! `flagstore-local`: the DynamoDB API on loopback, with a feature store's table ready to use.
//!
//! It is what the quick start, the examples and most tests talk to instead of AWS: one process, no account, no
//! container, no Java. The engine is [`dynoxide`], a DynamoDB emulator on SQLite; this file only opens it, makes
//! the table, serves it on 127.0.0.1 and stops when told to. It is for development and tests, and is no part of the
//! library that ships.
//!
//! ```text
//! cargo build --release --no-default-features --features local --bin flagstore-local
//! flagstore-local                                  # any free port, table `flags`, in memory
//! flagstore-local --port 8000 --file flags.db      # a fixed port, and data that outlives the process
//! ```
//!
//! When it is ready it prints one line, and never another, on standard output:
//!
//! ```text
//! {"url":"http://127.0.0.1:40123","tables":["flags"],"pid":4711}
//! ```
//!
//! Any credentials and any region are accepted, but a client must have some: DynamoDB clients sign every request.
//! The exit status is 0 after SIGTERM, SIGINT or (with `--exit-with-stdin`) the end of standard input, 1 when it
//! cannot serve, and 2 when the command line is wrong; the reason is on standard error.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use dynoxide::{Database, server};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What `--help` prints.
const HELP: &str = "\
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

/// How long requests that are still running may hold up the exit. A client that sent half a request and fell silent
/// would otherwise hold it for ever.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted: a benchmark opens hundreds in the same instant.
const BACKLOG: u32 = 1024;

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve(options)) => report(serve(&options)),
        Ok(Command::Help) => report(print(HELP)),
        Ok(Command::Version) => report(print(concat!("flagstore-local ", env!("CARGO_PKG_VERSION"), "\n"))),
        Err(message) => {
            complain(&format!("{message}; see `flagstore-local --help`"));
            ExitCode::from(2)
        }
    }
}

fn report(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Unlike `eprintln!`, survives a standard error that nobody reads any more: the exit status still tells.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "flagstore-local: {message}");
}

/// Writes to standard output and flushes: whoever started this process is waiting for the line, often through a pipe.
fn print(text: &str) -> Result<(), String> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Command {
    Serve(Options),
    Help,
    Version,
}

#[derive(Debug, Default, PartialEq)]
struct Options {
    /// 0 takes any free port.
    port: u16,
    /// The tables to create, each once, in the order given; never empty once parsed.
    tables: Vec<String>,
    /// The SQLite file; in memory without one.
    file: Option<String>,
    exit_with_stdin: bool,
}

/// Reads the command line; values may follow as the next word or after `=`.
fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
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

/// Serves until told to stop.
fn serve(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    // Returning drops the runtime, and with it the connections' handles to the database: SQLite has closed its file
    // before the process exits.
    runtime.block_on(async {
        // The port first: a port in use must not leave a new file behind.
        let listener = listen(options.port)?;
        let stop = Stop::new(options.exit_with_stdin)?;
        let database = open(options.file.as_deref())?;
        for table in &options.tables {
            ensure_table(&database, table)?;
        }
        print(&ready_line(&listener, &options.tables)?)?;
        serve_until(stop, listener, database).await
    })
}

/// Listens on loopback alone: the endpoint checks no signature.
fn listen(port: u16) -> Result<TcpListener, String> {
    try_listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} of 127.0.0.1 is already in use: choose another, or 0 for any free one")
        }
        _ => format!("cannot listen on port {port} of 127.0.0.1: {error}"),
    })
}

fn try_listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Restarting on the same port must not wait for the last run's connections to leave TIME_WAIT.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit this; without it a response can wait 40 ms for the client's delayed ACK.
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn open(file: Option<&str>) -> Result<Database, String> {
    match file {
        Some(path) => Database::new(path).map_err(|error| format!("cannot open the file {path}: {error}")),
        None => Database::memory().map_err(|error| format!("cannot open a database in memory: {error}")),
    }
}

/// Creates the table unless the file has it. One that has other keys is refused here, where the reason is plain,
/// rather than at the first request.
fn ensure_table(database: &Database, table: &str) -> Result<(), String> {
    let existing =
        database.get_table_metadata(table).map_err(|error| format!("cannot look for table {table}: {error}"))?;
    match existing {
        None => create_table(database, table),
        Some(found) if same(&found.key_schema, key_schema()) && same(&found.attribute_definitions, attributes()) => {
            Ok(())
        }
        Some(_) => Err(format!(
            "table {table} of the file has other keys than a feature store's, which are `namespace` and `key`, both strings"
        )),
    }
}

fn create_table(database: &Database, table: &str) -> Result<(), String> {
    let request = json!({
        "TableName": table,
        "KeySchema": key_schema(),
        "AttributeDefinitions": attributes(),
        "BillingMode": "PAY_PER_REQUEST",
    });
    serde_json::from_value(request)
        .map_err(|error| error.to_string())
        .and_then(|request| database.create_table(request).map_err(|error| error.to_string()))
        .map(drop)
        // Dynoxide marks what its HTTP layer turns into a ValidationException; a person has no use for the mark.
        .map_err(|error| format!("cannot create table {table:?}: {}", error.trim_start_matches("VALIDATION:")))
}

fn key_schema() -> Value {
    json!([{"AttributeName": "namespace", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}])
}

fn attributes() -> Value {
    json!([{"AttributeName": "namespace", "AttributeType": "S"}, {"AttributeName": "key", "AttributeType": "S"}])
}

fn same(stored: &str, wanted: Value) -> bool {
    serde_json::from_str::<Value>(stored).is_ok_and(|stored| stored == wanted)
}

/// Written by hand so that the URL, which most readers want, comes first: `json!` sorts its keys.
fn ready_line(listener: &TcpListener, tables: &[String]) -> Result<String, String> {
    let address = listener.local_addr().map_err(|error| format!("cannot tell the port: {error}"))?;
    let process = std::process::id();
    Ok(format!("{{\"url\":\"http://{address}\",\"tables\":{},\"pid\":{process}}}\n", json!(tables)))
}

async fn serve_until(stop: Stop, listener: TcpListener, database: Database) -> Result<(), String> {
    let (stopping, stopped) = oneshot::channel::<()>();
    // Dropping the sender is the message.
    let mut server = tokio::spawn(server::serve_with_shutdown(listener, database, async { drop(stopped.await) }));
    tokio::select! {
        ended = &mut server => return ended.map_err(|error| format!("the server failed: {error}"))?,
        () = stop.requested() => drop(stopping),
    }
    match tokio::time::timeout(STOP_WITHIN, server).await {
        Ok(ended) => ended.map_err(|error| format!("the server failed: {error}"))?,
        Err(_still_busy) => Ok(()),
    }
}

/// What ends the process. Made before the ready line is printed, so that a signal sent right after it is not lost.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
    /// Resolves when standard input ends; `None` when nobody asked to watch it.
    input_closed: Option<oneshot::Receiver<()>>,
}

impl Stop {
    fn new(exit_with_stdin: bool) -> Result<Self, String> {
        let watch = |kind| signal(kind).map_err(|error| format!("cannot watch for signals: {error}"));
        Ok(Self {
            terminate: watch(SignalKind::terminate())?,
            interrupt: watch(SignalKind::interrupt())?,
            input_closed: exit_with_stdin.then(watch_input),
        })
    }

    async fn requested(mut self) {
        let input_closed = async {
            match self.input_closed {
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = input_closed => {}
        }
    }
}

/// A thread of its own, outside the runtime: a read of standard input cannot be cancelled, and the runtime would wait
/// for it before it lets the process exit.
fn watch_input() -> oneshot::Receiver<()> {
    let (closing, closed) = oneshot::channel();
    std::thread::spawn(move || {
        // A read that fails means the same as the end: nobody is there any more.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(closing);
    });
    closed
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

    #[test]
    fn a_table_is_created_once_and_recognised_afterwards() {
        let database = open(None).unwrap();
        ensure_table(&database, "flags").unwrap();
        ensure_table(&database, "flags").unwrap();
        assert_eq!(database.table_count().unwrap(), 1);
    }

    #[test]
    fn a_table_with_other_keys_is_refused() {
        let database = open(None).unwrap();
        let request = json!({
            "TableName": "flags",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        database.create_table(serde_json::from_value(request).unwrap()).unwrap();
        let message = ensure_table(&database, "flags").unwrap_err();
        assert!(message.starts_with("table flags of the file has other keys"), "{message}");
    }

    #[test]
    fn a_table_name_that_dynamodb_refuses_is_refused_with_its_words() {
        let message = ensure_table(&open(None).unwrap(), "a").unwrap_err();
        assert!(message.starts_with("cannot create table \"a\": "), "{message}");
        assert!(message.contains("greater than or equal to 3"), "{message}");
    }

    #[test]
    fn a_port_in_use_is_said_so() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = listen(0).unwrap();
            let port = first.local_addr().unwrap().port();
            let message = listen(port).unwrap_err();
            assert!(message.starts_with(&format!("port {port} of 127.0.0.1 is already in use")), "{message}");
        });
    }
}
