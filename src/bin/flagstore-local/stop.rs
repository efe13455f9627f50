//! When to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What ends the process. Made before the ready line is printed, so that a signal sent right after it is not lost.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
    /// Resolves when standard input ends; `None` when nobody asked to watch it.
    input_closed: Option<oneshot::Receiver<()>>,
}

impl Stop {
    pub fn new(exit_with_stdin: bool) -> Result<Self, String> {
        let watch = |kind| signal(kind).map_err(|error| format!("cannot watch for signals: {error}"));
        Ok(Self {
            terminate: watch(SignalKind::terminate())?,
            interrupt: watch(SignalKind::interrupt())?,
            input_closed: exit_with_stdin.then(watch_input),
        })
    }

    pub async fn requested(mut self) {
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
