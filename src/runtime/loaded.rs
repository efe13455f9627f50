//! Our threads live as long as the process: unmapping their code under them would crash the host. On Linux the library is
//! linked so that it stays (`build.rs`); elsewhere the module that this code is in, ours or one that holds our archive, says
//! so itself.

/// From now on the module stays loaded.
#[cfg(windows)]
pub fn stay() {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };
    let mut module = std::ptr::null_mut();
    let here: fn() = stay;
    // SAFETY: with this flag the name is an address, one in this module; the handle is written to a live local. A failure
    // leaves the module as it was.
    unsafe {
        GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
            here as *const u16,
            &raw mut module,
        );
    }
}

/// From now on the module stays loaded.
#[cfg(all(unix, not(any(target_os = "linux", miri))))]
pub fn stay() {
    let here: fn() = stay;
    // SAFETY: dladdr fills a live local for an address of this module, and the name that it gives lives as long as the
    // module; nothing is loaded that is not loaded already. A failure leaves the module as it was.
    unsafe {
        let mut module: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(here as *const libc::c_void, &raw mut module) != 0 {
            libc::dlopen(module.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
}

/// It does.
#[cfg(not(any(windows, all(unix, not(any(target_os = "linux", miri))))))]
pub fn stay() {}
