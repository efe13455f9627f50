"""A registry of npm that has what `bindings/node/package` packed, for npm to choose from by each package's os, cpu and libc."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Serves the packages of a folder on loopback; gives its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        answers = dict(answer for package in folder.glob("flagstore*.tgz") for answer in answers_of(package, url))

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = answers.get(unquote(self.path))
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        server.RequestHandlerClass = Answering
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url
        server.shutdown()


def answers_of(package: Path, url: str) -> list[tuple[str, bytes]]:
    """The file, and what the registry says of it."""
    content = package.read_bytes()
    with tarfile.open(package) as opened:
        manifest = json.load(opened.extractfile("package/package.json"))
    name, version = manifest["name"], manifest["version"]
    sum_of_it = base64.b64encode(hashlib.sha512(content).digest()).decode()
    manifest["dist"] = {"tarball": f"{url}/-/{package.name}", "integrity": f"sha512-{sum_of_it}"}
    told = {"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}}
    return [(f"/-/{package.name}", content), (f"/{name}", json.dumps(told).encode())]
