"""What clients talk to. Each function is a context manager that gives a URL; nothing outlives its block."""

import contextlib
import json
import os
import select
import socket
import ssl
import subprocess
import threading


@contextlib.contextmanager
def _serving(command):
    """A server that prints one line when it is ready and ends with its standard input."""
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} did not start")
        yield line.strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


@contextlib.contextmanager
def responder(tools, flag_file, flags=0, delay=0.0):
    """The canned responder, which answers after so many seconds; see c/responder.c."""
    with _serving([tools.program("responder"), flag_file, str(flags), _microseconds(delay)]) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def delayed(tools, url, round_trip):
    """The same, behind a network with this round trip in seconds; see c/delay.c."""
    place, _, port = url.rpartition(":")
    with _serving([tools.program("delay"), _microseconds(round_trip), port]) as port:
        yield f"{place}:{port}"


def _microseconds(seconds):
    return str(round(seconds * 1e6))


@contextlib.contextmanager
def flagstore_local(tools):
    """The emulator of this project, which serves the requests of all integrations."""
    program = os.environ.get("FLAGSTORE_LOCAL") or tools.root / "target/release/flagstore-local"
    with _serving([program, "--exit-with-stdin"]) as line:
        yield json.loads(line)["url"]


@contextlib.contextmanager
def with_tls(url, certificate):
    """The same over TLS. OpenSSL does the work; Python only carries bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    target = ("127.0.0.1", int(url.rpartition(":")[2]))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener, context, target), daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        # Wakes the thread that accepts, which closing alone would not.
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener, context, target):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_relay, args=(connection, context, target), daemon=True).start()


def _relay(connection, context, target):
    with contextlib.suppress(OSError), connection, socket.create_connection(target) as plain:
        for each in (connection, plain):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(connection, server_side=True) as tls:
            while True:
                ready, _, _ = select.select([tls, plain], [], [])
                source, other = (tls, plain) if tls in ready else (plain, tls)
                # As much as OpenSSL decrypts at once, so that nothing waits inside it where select does not see it.
                piece = source.recv(1 << 16)
                if not piece:
                    return
                other.sendall(piece)


@contextlib.contextmanager
def cuttable(url):
    """The same, until it is cut off."""
    relay = Cuttable(url)
    try:
        yield relay
    finally:
        relay.cut("refusing")


class Cuttable:
    """A relay to a server that can be cut off in two ways: "silent" keeps connections, takes new ones, and carries nothing;
    "refusing" ends them all and takes none."""

    def __init__(self, url):
        self._target = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._silent = threading.Event()
        self._sockets = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, how):
        self._silent.set()
        if how == "refusing":
            for each in (self._listener, *self._sockets):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._sockets.append(connection)
                if not self._silent.is_set():
                    threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, connection):
        # Neither is closed here: in silence whoever waits for an answer is to find the connection as it was.
        with contextlib.suppress(OSError):
            server = socket.create_connection(self._target)
            self._sockets.append(server)
            for each in (connection, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._silent.is_set():
                ready, _, _ = select.select([connection, server], [], [], 1)
                for source in ready:
                    piece = source.recv(1 << 16)
                    if not piece:
                        return
                    if not self._silent.is_set():
                        (server if source is connection else connection).sendall(piece)
