"""Writes the NuGet packages out of assemblies that Mono compiled: nupkg.py VERSION RUNTIMES ASSEMBLIES FOLDER

RUNTIMES has every platform's library, laid out as in a package. A package is a zip file with a nuspec; the other two parts
are those that the Open Packaging Conventions ask for. Every file has the same date, so that the same input gives the same
package.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

BINDING = Path(__file__).resolve().parent.parent
REPOSITORY = BINDING.parent.parent

NUSPEC = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>{name}</id>
    <version>{version}</version>
    <authors>{Authors}</authors>
    <description>{Description}</description>
    <license type="expression">{PackageLicenseExpression}</license>
    <projectUrl>{PackageProjectUrl}</projectUrl>
    <readme>README.md</readme>
    <tags>{tags}</tags>
    <dependencies>
      <group targetFramework=".NETStandard2.0">{dependencies}
      </group>
    </dependencies>
  </metadata>
</package>
"""

RELATIONS = """<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/{name}.nuspec" Id="R1" />
</Relationships>
"""

TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="dll" ContentType="application/octet" />
  <Default Extension="xml" ContentType="application/octet" />
  <Default Extension="md" ContentType="application/octet" />
  <Default Extension="so" ContentType="application/octet" />
  <Default Extension="dylib" ContentType="application/octet" />
  <Default Extension="json" ContentType="application/octet" />
{overrides}
</Types>
"""


def main(version: str, runtimes: Path, assemblies: Path, folder: Path) -> None:
    properties = dict(re.findall(r"<(\w+)>([^<]*)</\1>", (BINDING / "Directory.Build.props").read_text()))
    library = {
        **{f"runtimes/{file.relative_to(runtimes)}": file for file in sorted(runtimes.glob("*/native/*"))},
        "THIRD-PARTY-NOTICES": REPOSITORY / "THIRD-PARTY-NOTICES",
        "flagstore.cdx.json": REPOSITORY / "supply-chain" / "flagstore.cdx.json",
    }
    packages = {
        "Flagstore": ({}, library),
        "Flagstore.LaunchDarkly": ({"Flagstore": version, "LaunchDarkly.ServerSdk": "[8.0.0,9.0.0)"}, {}),
    }
    for name, (needs, files) in packages.items():
        if not (assemblies / f"{name}.dll").exists():
            continue
        dependencies = "".join(
            f'\n        <dependency id="{other}" version="{which}" />' for other, which in needs.items()
        )
        about = {**properties, "name": name, "version": version, "dependencies": dependencies}
        about["tags"] = properties["PackageTags"].replace(";", " ")
        # A part whose name has no extension is named to the package's readers by itself.
        overrides = "\n".join(
            f'  <Override PartName="/{part}" ContentType="application/octet" />'
            for part in ("LICENSE", *files)
            if "." not in part
        )
        made = folder / f"{name}.{version}.nupkg"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
            put(package, "[Content_Types].xml", TYPES.format(overrides=overrides).encode())
            put(package, "_rels/.rels", RELATIONS.format(name=name).encode())
            put(package, f"{name}.nuspec", NUSPEC.format(**about).encode())
            put(package, "README.md", (BINDING / "README.md").read_bytes())
            put(package, "LICENSE", (REPOSITORY / "LICENSE").read_bytes())
            for kind in ("dll", "xml"):
                put(package, f"lib/netstandard2.0/{name}.{kind}", (assemblies / f"{name}.{kind}").read_bytes())
            for inside, file in files.items():
                put(package, inside, file.read_bytes())
        print(made)


def put(package: zipfile.ZipFile, name: str, content: bytes) -> None:
    package.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:5]))
