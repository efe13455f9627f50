# ruff: noqa: N999 - PyInstaller looks for this name.
"""The library, which no import statement names, and the modules that are imported when they are asked for."""

from PyInstaller.utils.hooks import collect_dynamic_libs, collect_submodules

binaries = collect_dynamic_libs("flagstore")
hiddenimports = collect_submodules(
    "flagstore", filter=lambda name: "launchdarkly" not in name and "_sdk" not in name
)
