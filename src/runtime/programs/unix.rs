//! Process groups; Miri has none.

use std::io;
use std::process::{Child, Command, Stdio};

/// How a shell ends that cannot run what it was told to.
pub const NOT_RUN: &[i32] = &[126, 127];
/// What the watch does: its input ends when nobody holds the other end any more, and then its whole group does.
const WATCH: &str = "read -r _; kill -9 0";

/// The shell by its whole name, since a search would read the environment.
pub fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]);
    command
}

/// Starts a program in the group of a watch, which is started for it.
pub fn start(command: &mut Command) -> io::Result<(Child, Started)> {
    let mut watch = shell(WATCH);
    let watch = apart(watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()), 0).spawn()?;
    let started = Started { watch };
    match apart(command, started.group()).spawn() {
        Ok(program) => Ok((program, started)),
        Err(error) => {
            started.end();
            Err(error)
        }
    }
}

#[cfg_attr(miri, expect(unused_variables, reason = "Miri has no groups"))]
fn apart(command: &mut Command, group: i32) -> &mut Command {
    #[cfg(not(miri))]
    std::os::unix::process::CommandExt::process_group(command, group);
    command
}

/// A group of processes: its leader is a shell that ends the others when this process is no more, also where it is killed.
pub struct Started {
    watch: Child,
}

impl Started {
    fn group(&self) -> i32 {
        // The system's own type for it; no number of a process has another sign.
        self.watch.id().cast_signed()
    }

    /// Ends all of it.
    pub fn end(mut self) {
        #[cfg(not(miri))]
        // SAFETY: kill takes no pointers. The group's leader was not waited for, so its number is not another's yet; a
        // host that collects all its children cannot have it either, for it has not ended.
        unsafe {
            libc::kill(-self.group(), libc::SIGKILL);
        }
        let _ = self.watch.wait();
    }

    /// Ends the watch alone.
    pub fn leave(mut self) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn it_ends_with_the_process_that_started_it() {
        let (mut program, mut started) = start(&mut shell("sleep 600")).expect("it starts");
        assert_eq!(program.try_wait().expect("it is ours"), None);
        // As the system closes it, however the process ends.
        drop(started.watch.stdin.take());
        let ended = program.wait().expect("it is ours");
        assert_eq!(ended.signal(), Some(libc::SIGKILL));
        started.end();
    }
}
