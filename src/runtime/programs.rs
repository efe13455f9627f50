//! Programs that a profile names: a line for the system's shell, and all that it starts, which ends together.

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

/// A program with what it started, which can be ended at once.
pub struct Group {
    program: Child,
    started: system::Started,
}

impl Group {
    /// Starts a program in a group of its own.
    pub fn start(command: &mut Command) -> io::Result<Group> {
        let program = system::apart(command).spawn()?;
        let started = system::Started::by(&program);
        Ok(Group { program, started })
    }

    /// The program itself.
    pub fn program(&mut self) -> &mut Child {
        &mut self.program
    }

    /// Ends it, if it was not waited for yet, with all that it started, and collects it.
    pub fn end(&mut self) {
        self.started.end();
        // Where there was no group, the program itself; else it is gone already.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
