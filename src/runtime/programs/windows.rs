//! Job objects, which hold a program and whatever it starts.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject};
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

/// How cmd.exe ends that does not find what a script tells it to run.
pub const NOT_RUN: &[i32] = &[9009];

/// By its name alone: the system's folder is searched before any that the environment names. Between the outermost quotes
/// `/s` takes the line as it is; `/d` runs nothing that the registry adds.
pub fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd.exe");
    command.raw_arg(format!("/d /s /c \"{line}\""));
    command
}

/// A host without a console is not given one for a moment.
pub fn apart(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NO_WINDOW)
}

/// The job that the program was put into as soon as it was started, long before a shell starts anything.
pub struct Started(Option<OwnedHandle>);

impl Started {
    pub fn by(program: &Child) -> Started {
        // SAFETY: neither attributes nor a name are given, which is allowed.
        let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
        if job.is_null() {
            return Started(None);
        }
        // SAFETY: made just now, and nobody else's.
        let job = unsafe { OwnedHandle::from_raw_handle(job) };
        // SAFETY: both handles are open. One that refuses leaves the program to be ended alone.
        let put = unsafe { AssignProcessToJobObject(job.as_raw_handle(), program.as_raw_handle()) };
        Started((put != 0).then_some(job))
    }

    pub fn end(&self) {
        if let Started(Some(job)) = self {
            // SAFETY: the handle is open.
            unsafe {
                TerminateJobObject(job.as_raw_handle(), 1);
            }
        }
    }
}
