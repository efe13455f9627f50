//! `flagstore-local`: the DynamoDB API on loopback, with a feature store's table ready to use.
//!
//! It is what the quick start, the examples and most tests talk to instead of AWS: one process, no account, no
//! container, no Java. The engine is [`dynoxide`], a DynamoDB emulator on SQLite; this program opens it, makes
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

mod api;
mod command;
mod legacy;
mod stop;
mod tables;
mod visitor;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use dynoxide::Database;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use command::{Command, Options};
use stop::Stop;

/// How long requests that are still running may hold up the exit. A client that sent half a request and fell silent
/// would otherwise hold it for ever.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Connections that may wait to be accepted: a benchmark opens hundreds in the same instant.
const BACKLOG: u32 = 1024;

fn main() -> ExitCode {
    match command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve(options)) => report(serve(&options)),
        Ok(Command::Help) => report(print(command::HELP)),
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
        let database = tables::open(options.file.as_deref())?;
        for table in &options.tables {
            tables::ensure_table(&database, table)?;
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

/// Written by hand so that the URL, which most readers want, comes first: `json!` sorts its keys.
fn ready_line(listener: &TcpListener, tables: &[String]) -> Result<String, String> {
    let address = listener.local_addr().map_err(|error| format!("cannot tell the port: {error}"))?;
    let process = std::process::id();
    Ok(format!("{{\"url\":\"http://{address}\",\"tables\":{},\"pid\":{process}}}\n", json!(tables)))
}

async fn serve_until(stop: Stop, listener: TcpListener, database: Database) -> Result<(), String> {
    let (stopping, stopped) = oneshot::channel::<()>();
    // Dropping the sender is the message.
    let mut server = tokio::spawn(api::serve(listener, database, async { drop(stopped.await) }));
    tokio::select! {
        ended = &mut server => return ended.map_err(|error| format!("the server failed: {error}"))?,
        () = stop.requested() => drop(stopping),
    }
    match tokio::time::timeout(STOP_WITHIN, server).await {
        Ok(ended) => ended.map_err(|error| format!("the server failed: {error}"))?,
        Err(_still_busy) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
