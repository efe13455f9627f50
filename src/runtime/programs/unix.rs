//! Process groups; Miri has none.

use std::process::{Child, Command};

/// How a shell ends that cannot run what it was told to.
pub const NOT_RUN: &[i32] = &[126, 127];

/// The shell by its whole name, since a search would read the environment.
pub fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]);
    command
}

pub fn apart(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// The group whose leader the program is.
pub struct Started {
    #[cfg(all(unix, not(miri)))]
    group: Option<libc::pid_t>,
}

impl Started {
    pub fn by(program: &Child) -> Started {
        #[cfg(all(unix, not(miri)))]
        return Started { group: libc::pid_t::try_from(program.id()).ok() };
        #[cfg(not(all(unix, not(miri))))]
        {
            let _ = program;
            Started {}
        }
    }

    pub fn end(&self) {
        #[cfg(all(unix, not(miri)))]
        if let Some(group) = self.group {
            // SAFETY: kill takes no pointers. The group's leader was not waited for, so its number is not another's yet;
            // a host that collects all its children may have done that, and then there is at worst no such group.
            unsafe {
                libc::kill(-group, libc::SIGKILL);
            }
        }
    }
}
