//! Programs that a profile names: a line for the system's shell, and all that it starts, which ends together, and with
//! this process, however that ends.

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::process::{Child, Command};

#[cfg(not(windows))]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{NOT_RUN, shell};

/// A program with what it started. Whoever lets go of it ends all of them.
pub struct Group {
    program: Child,
    /// `None` once it was left.
    started: Option<system::Started>,
}

impl Group {
    /// Starts a program in a group of its own.
    pub fn start(command: &mut Command) -> io::Result<Group> {
        let (program, started) = system::start(command)?;
        Ok(Group { program, started: Some(started) })
    }

    /// The program itself.
    pub fn program(&mut self) -> &mut Child {
        &mut self.program
    }

    /// The program has ended and was waited for; what it left behind stays.
    pub fn leave(&mut self) {
        if let Some(started) = self.started.take() {
            started.leave();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(started) = self.started.take() {
            started.end();
            // Where there was no group, the program itself; else it is gone already.
            let _ = self.program.kill();
            let _ = self.program.wait();
        }
    }
}
