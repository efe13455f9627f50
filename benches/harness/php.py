"""PHP: the extension built for the library that is measured, and PHP-FPM with its workers on a socket of its own."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from .tools import Missing

STARTS_WITHIN = 20.0


def options(tools, transport):
    """PHP's own, for the binding by the extension or by FFI; the machine's php.ini is not read (-n), so all is said here."""
    if transport == "extension":
        settings = [f"extension={_extension(tools)}"]
    elif transport == "FFI":
        settings = ["extension=ffi", "ffi.enable=1", f"ffi.preload={_ffi_header(tools)}"]
    else:
        settings = []
    return [word for setting in settings for word in ("-d", setting)]


def program(name="php"):
    """PHP, or its FPM of the same version."""
    php = shutil.which("php")
    if php is None:
        raise Missing("needs PHP: apt-get install php-cli")
    if name == "php":
        return php
    said = subprocess.run(
        [php, "-r", 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;'], capture_output=True, check=True
    )
    version = said.stdout.decode()
    found = next(
        (path for path in (f"/usr/sbin/php-fpm{version}", shutil.which("php-fpm")) if path and os.path.exists(path)),
        None,
    )
    if found is None:
        raise Missing(f"needs PHP-FPM {version}: apt-get install php{version}-fpm")
    return found


@contextlib.contextmanager
def fpm(tools, transport, workers=1):
    """A PHP-FPM with opcache, as in production but for the number of its workers; gives the path of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="flagstore-bench-"))
    socket, log = folder / "socket", folder / "log"
    user = ["user = root", "group = root"] if os.geteuid() == 0 else []
    lines = ["[global]", f"error_log = {log}", "daemonize = no", "[pool]", f"listen = {socket}", "pm = static"]
    lines += [f"pm.max_children = {workers}", "clear_env = no", "catch_workers_output = yes", *user]
    (folder / "fpm.conf").write_text("\n".join(lines) + "\n")
    # -R: it may run as root, as benchmarks in containers do.
    command = [program("php-fpm"), "-n", "-F", "-R", "-y", folder / "fpm.conf", "-p", folder]
    command += ["-d", "zend_extension=opcache", "-d", "opcache.enable=1", *options(tools, transport)]
    with open(folder / "output", "wb") as output:
        master = subprocess.Popen(
            command, env=tools.environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _await(socket, master, folder)
        yield socket
    finally:
        master.terminate()
        master.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _await(socket, master, folder):
    deadline = time.monotonic() + STARTS_WITHIN
    while not socket.exists():
        if master.poll() is not None or time.monotonic() > deadline:
            said = "".join(
                path.read_text(errors="replace") for path in (folder / "log", folder / "output") if path.exists()
            )
            raise RuntimeError(f"PHP-FPM did not start: {said[-1000:]}")
        time.sleep(0.01)


def _ffi_header(tools):
    """What PHP reads once when it starts, so that no request declares the functions anew."""
    command = [program(), "-n", "-d", "extension=ffi", tools.root / "bindings/php/bin/flagstore-ffi-header"]
    header = tools.build / "flagstore-ffi.h"
    header.write_bytes(subprocess.run(command, env=tools.environment(), capture_output=True, check=True).stdout)
    return header


def _extension(tools):
    """Built anew when its sources, PHP or the library change, whose archive is linked into it."""
    if shutil.which("phpize") is None:
        raise Missing("needs phpize for the extension: apt-get install php-dev")
    sources = tools.root / "bindings/php/ext"
    stamp = hashlib.sha256(subprocess.run([program(), "-v"], capture_output=True, check=True).stdout)
    archive = tools.unstripped_library.resolve().parent / "libflagstore.a"
    for file in sorted([*sources.glob("*.[ch]"), sources / "config.m4", tools.root / "include/flagstore.h", archive]):
        stamp.update(file.read_bytes())
    folder = tools.build / "php-extension" / stamp.hexdigest()[:12]
    built = folder / "modules/flagstore.so"
    if not built.is_file():
        tools.progress("building the PHP extension")
        shutil.rmtree(folder.parent, ignore_errors=True)
        shutil.copytree(sources, folder)
        installed = folder / "installed"
        installed.mkdir()
        (installed / "include").symlink_to(tools.root / "include")
        (installed / "lib").symlink_to(archive.parent)
        for step in (["phpize"], ["./configure", "--quiet", f"--with-flagstore={installed}"], ["make", "--quiet"]):
            done = subprocess.run(step, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(step)} failed: {(done.stdout + done.stderr)[-2000:]}")
    return built
