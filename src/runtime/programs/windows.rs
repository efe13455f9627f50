//! Job objects, which hold a program and whatever it starts.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
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

/// Starts a program in a job of its own. A host without a console is not given one for a moment.
pub fn start(command: &mut Command) -> io::Result<(Child, Started)> {
    let program = command.creation_flags(CREATE_NO_WINDOW).spawn()?;
    let started = Started(job_of(&program));
    Ok((program, started))
}

/// The job that the program was put into as soon as it was started, long before a shell starts anything. It ends with its
/// last handle, so with this process.
pub struct Started(Option<OwnedHandle>);

impl Started {
    /// Ends all of it.
    pub fn end(self) {
        if let Started(Some(job)) = &self {
            // SAFETY: the handle is open.
            unsafe {
                TerminateJobObject(job.as_raw_handle(), 1);
            }
        }
    }

    /// What the program left behind goes on.
    pub fn leave(self) {
        if let Started(Some(job)) = &self {
            limit(job, 0);
        }
    }
}

fn job_of(program: &Child) -> Option<OwnedHandle> {
    // SAFETY: neither attributes nor a name are given, which is allowed.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return None;
    }
    // SAFETY: made just now, and nobody else's.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    limit(&job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE);
    // SAFETY: both handles are open. One that refuses leaves the program to be ended alone.
    let put = unsafe { AssignProcessToJobObject(job.as_raw_handle(), program.as_raw_handle()) };
    (put != 0).then_some(job)
}

fn limit(job: &OwnedHandle, flags: u32) {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = flags;
    // SAFETY: the handle is open, and the structure is the one of that class, of its size.
    unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        );
    }
}
