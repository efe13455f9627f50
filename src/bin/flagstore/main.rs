//! `flagstore`: for the person who has to find out what is wrong. It looks, and never writes.
//!
//! ```text
//! flagstore doctor --table flags --prefix production
//! flagstore ls features --table flags
//! flagstore get features checkout --table flags
//! flagstore diff --table flags --prefix staging --to-prefix production
//! ```
//!
//! Credentials, region and everything else come as for the library: environment, profile, role. `docs/doctor.md` has the
//! rest, and the exit statuses.

mod command;
mod difference;
mod output;

use std::process::ExitCode;

use flagstore::abi::store_abi_version;
use flagstore::model::Error;
use flagstore::model::options::Options;
use flagstore::store::doctor::{self, Level, Sighting, State};

use command::{Command, Task};
use output::Output;

/// What was looked for is not there, or not the same, or not well.
const NOT_SO: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// Nothing could be looked at.
const TROUBLE: u8 = 3;

/// Why there is no answer.
enum Failure {
    /// The library says so.
    Store(Error),
    /// Nobody reads on, or the disk is full.
    Output(std::io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Whether it is so.
type Answer = Result<bool, Failure>;

fn main() -> ExitCode {
    let command = match command::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("flagstore: {message}; see `flagstore --help`");
            return ExitCode::from(USAGE);
        }
    };
    let mut output = Output::new();
    match run(&command, &mut output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NOT_SO),
        // Whoever closed the pipe has seen enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("flagstore: the output cannot be written: {error}");
            ExitCode::from(TROUBLE)
        }
        Err(Failure::Store(error)) => {
            eprintln!("flagstore: {error}");
            ExitCode::from(TROUBLE)
        }
    }
}

fn run(command: &Command, output: &mut Output) -> Answer {
    match command {
        Command::Help => output.text(command::HELP)?,
        Command::Version => output.text(concat!("flagstore ", env!("CARGO_PKG_VERSION"), "\n"))?,
        Command::Do { task, options, json } => return carry_out(task, options, *json, output),
    }
    Ok(true)
}

fn carry_out(task: &Task, options: &Options, json: bool, output: &mut Output) -> Answer {
    match task {
        Task::Doctor => examine(options, json, output),
        Task::List { kinds } => list(kinds, options, json, output),
        Task::Get { kind, key } => get(kind, key, options, json, output),
        Task::Diff { kinds, to } => diff(kinds, options, to, json, output),
    }
}

fn examine(options: &Options, json: bool, output: &mut Output) -> Answer {
    let report = doctor::examine(options, store_abi_version())?;
    if json {
        output.line(&report.to_json())?;
    } else {
        output.report(&report)?;
    }
    Ok(report.count(Level::Problem) == 0)
}

fn list(kinds: &[String], options: &Options, json: bool, output: &mut Output) -> Answer {
    for kind in kinds {
        for row in doctor::rows(options, kind)? {
            output.row(kind, &row, json)?;
        }
    }
    Ok(true)
}

fn get(kind: &str, key: &str, options: &Options, json: bool, output: &mut Output) -> Answer {
    let Some(row) = doctor::row(options, kind, key)? else {
        eprintln!("flagstore: there is no row {key:?} of kind {kind:?} in table {:?}", options.table);
        return Ok(false);
    };
    if json {
        output.row_with_item(kind, &row)?;
        return Ok(matches!(row.state, State::Live(_)));
    }
    match &row.state {
        State::Live(item) => output.line(item)?,
        State::Tombstone => {
            eprintln!("flagstore: {key:?} was deleted, by version {}", row.version.unwrap_or_default());
            return Ok(false);
        }
        State::Unreadable(why) => {
            eprintln!("flagstore: {key:?} cannot be read: {why}");
            return Ok(false);
        }
    }
    Ok(true)
}

fn diff(kinds: &[String], from: &Options, to: &Options, json: bool, output: &mut Output) -> Answer {
    let mut same = true;
    for kind in kinds {
        let rows = |options| -> Result<Vec<Sighting>, Error> { doctor::rows(options, kind) };
        for (key, difference) in difference::between(kind, &rows(from)?, &rows(to)?) {
            same = false;
            output.difference(kind, &key, &difference, json)?;
        }
    }
    Ok(same)
}
