"""What the rows measure with: the library as it ships, programs, interpreters, data. Made once, under build/."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"
# Where everything that is made goes; the same variable that the tests know.
BUILD = Path(os.environ.get("FLAGSTORE_BUILD", ROOT / "build")).resolve()
SOURCES = {
    "store_get": ["blocks"],
    "raw_get": ["blocks", "http"],
    "fresh": [],
    "data_set": [],
    "responder": ["http"],
    "delay": ["http"],
    "fpm_get": [],
}


class Missing(Exception):
    """Something that a row needs is not on this machine; the message says what and how to get it."""


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 with its chain and key, and the authority that signed it."""

    chain: Path
    key: Path
    authority: Path


class Tools:
    def __init__(self, progress):
        self.root = ROOT
        self.build = BUILD / "bench"
        self.build.mkdir(parents=True, exist_ok=True)
        self.progress = progress

    @staticmethod
    def is_made_from(wanted, folder):
        """Whether a folder was installed as this file says."""
        stamp = folder / "made-from"
        return stamp.is_file() and stamp.read_text() == hashlib.sha256(wanted.read_bytes()).hexdigest()

    @staticmethod
    def mark_as_made_from(wanted, folder):
        (folder / "made-from").write_text(hashlib.sha256(wanted.read_bytes()).hexdigest())

    @cached_property
    def unstripped_library(self):
        """The release build, with the symbols that a profile needs."""
        path = Path(os.environ.get("FLAGSTORE_LIBRARY", ROOT / "target/release/libflagstore.so")).resolve()
        if not path.is_file():
            raise Missing("the library is not built: cargo build --release")
        return path

    @cached_property
    def library(self):
        """The library as it ships: stripped, under its own name."""
        path = self.build / "lib/libflagstore.so.1"
        path.parent.mkdir(exist_ok=True)
        subprocess.run(["strip", "-o", path, self.unstripped_library], check=True)
        return path

    @cached_property
    def symbols(self):
        """A folder with the library under the same name, symbols included."""
        folder = self.build / "symbols"
        folder.mkdir(exist_ok=True)
        link = folder / self.library.name
        link.unlink(missing_ok=True)
        link.symlink_to(self.unstripped_library)
        return folder

    @cached_property
    def plain_sdk(self):
        """clients/plain_sdk.rs as cargo builds it; None where it is not built."""
        path = Path(os.environ.get("FLAGSTORE_PLAIN_SDK", ROOT / "target/release/examples/plain_sdk"))
        return path if path.is_file() else None

    @cache  # noqa: B019 - there is one Tools for the whole run
    def program(self, name):
        """A C program of c/, compiled."""
        self.progress(f"compiling {name}")
        path = self.build / name
        sources = [BENCHES / "c" / f"{source}.c" for source in [name, *SOURCES[name]]]
        flags = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-pthread", f"-I{ROOT / 'include'}"]
        links = [self.library] if name in ("store_get", "data_set") else []
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, *flags, "-o", path, *sources, *links], check=True)
        return path

    @cached_property
    def python(self):
        """An interpreter that has what requirements.txt names."""
        wanted = BENCHES / "requirements.txt"
        folder = BUILD / "bench-venv"
        if not self.is_made_from(wanted, folder):
            self.progress("installing boto3, the LaunchDarkly SDK and matplotlib")
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin/pip", "install", "--quiet", "--requirement", wanted], check=True)
            self.mark_as_made_from(wanted, folder)
        return folder / "bin/python"

    @cached_property
    def site_packages(self):
        return next((self.python.parent.parent / "lib").glob("python*/site-packages"))

    @cached_property
    def node_modules(self):
        """A folder that has what package-lock.json names."""
        if shutil.which("npm") is None:
            raise Missing("needs Node.js and npm")
        wanted = BENCHES / "package-lock.json"
        folder = BUILD / "bench-node"
        if not self.is_made_from(wanted, folder):
            self.progress("installing the AWS SDK for JavaScript")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for file in (wanted, BENCHES / "package.json"):
                shutil.copy(file, folder)
            subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
            self.mark_as_made_from(wanted, folder)
        return folder / "node_modules"

    def environment(self, **more):
        """What programs run with: their libraries, none of the machine's AWS settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | {
            "AWS_EC2_METADATA_DISABLED": "true",
            "NODE_NO_WARNINGS": "1",
            "LD_LIBRARY_PATH": str(self.library.parent),
            "FLAGSTORE_LIBRARY": str(self.library),
            "PYTHONPATH": os.pathsep.join([str(BENCHES / "clients"), str(ROOT / "bindings/python/src")]),
            **({"NODE_PATH": str(self.node_modules)} if shutil.which("npm") else {}),
            **more,
        }

    @cache  # noqa: B019 - there is one Tools for the whole run
    def flag_file(self, size):
        """The JSON of one flag, `flag-000000`, about this long, as the responder takes it."""
        path = self.build / f"flag-{size}.json"
        path.write_text(json.dumps(flag("flag-000000", size), separators=(",", ":")))
        return path

    @cache  # noqa: B019 - there is one Tools for the whole run
    def data_file(self, count, size=1000):
        """The JSON of a whole data set with this many flags."""
        path = self.build / f"data-{count}.json"
        flags = {key: flag(key, size) for key in (f"flag-{number:06}" for number in range(count))}
        path.write_text(json.dumps({"segments": {}, "features": flags}, separators=(",", ":")))
        return path

    @cached_property
    def certificate(self):
        """Signed by an authority made for it; the kind and length of key that AWS's endpoints have."""
        folder = self.build / "tls"
        folder.mkdir(exist_ok=True)
        made = Certificate(folder / "chain.pem", folder / "key.pem", folder / "authority.pem")
        authority_key, request, extensions = folder / "authority-key.pem", folder / "request.pem", folder / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        key = ["-newkey", "rsa:2048", "-nodes", "-keyout"]
        authority = ["-x509", "-days", "30", "-subj", "/CN=flagstore benchmark", "-out", made.authority]
        _openssl("req", *key, authority_key, *authority)
        _openssl("req", *key, made.key, "-subj", "/CN=127.0.0.1", "-out", request)
        signed_by = ["-CA", made.authority, "-CAkey", authority_key, "-CAcreateserial", "-days", "30"]
        _openssl("x509", "-req", "-in", request, *signed_by, "-extfile", extensions, "-out", made.chain)
        return made

    @cached_property
    def usual_authorities(self):
        """Those that a machine usually trusts, and the one of `certificate`, in one file."""
        path = self.build / "tls/usual-authorities.pem"
        usual = self.site_packages / "certifi/cacert.pem"
        path.write_bytes(usual.read_bytes() + self.certificate.authority.read_bytes())
        return path


def options(url, **more):
    """Options of a store as JSON. Deadlines are long, since nothing here is about them."""
    given = {"table": "flags", "endpoint": url, "region": "us-east-1"}
    given |= {"access_key_id": "bench", "secret_access_key": "bench"}
    given |= {f"{name}timeout_ms": 300_000 for name in ("", "all_", "init_", "attempt_", "connect_")}
    return json.dumps(given | more)


def boto3_options(url, **more):
    """The same for boto3.client."""
    given = {"endpoint_url": url, "region_name": "us-east-1"}
    return json.dumps(given | {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"} | more)


def flag(key, size):
    """A flag with as many rules as make its JSON about this long."""
    made = {
        "key": key,
        "version": 1,
        "on": True,
        "variations": [True, False],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
        "targets": [],
        "prerequisites": [],
        "salt": "5d2c9f0a7b6e4d13",
        "trackEvents": False,
        "rules": [],
    }
    while (length := len(json.dumps(made, separators=(",", ":")))) < size - 190:
        made["rules"].append(
            {
                "id": f"rule-{len(made['rules']):04}",
                "variation": len(made["rules"]) % 2,
                "clauses": [{"attribute": "country", "op": "in", "values": ["de", "fr", "it"], "negate": False}],
                "trackEvents": False,
            }
        )
    made["description"] = "x" * max(0, size - length - len(',"description":""'))
    return made


def size_of(path):
    """What a file, or all files in a folder, take on the disk, in bytes."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.lstat().st_blocks * 512 for file in files)


def _openssl(*arguments):
    if shutil.which("openssl") is None:
        raise Missing("needs openssl")
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)
