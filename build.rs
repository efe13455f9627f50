//! Link settings of the shared library: its soname, and that it stays mapped once loaded.

/// Major number of the C ABI; part of the file name that programs record when they link.
const ABI_MAJOR: u32 = 1;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libflagstore.so.{ABI_MAJOR}");
        // Our threads live as long as the process: unmapping their code under them would crash the host,
        // and PHP's FFI unloads a library at the end of every request.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
