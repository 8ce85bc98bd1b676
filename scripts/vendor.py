"""Fetch what the browser is given of others' work from the npm registry into `reviewqueue/static/vendor`.

    python scripts/vendor.py

Each package is a folder with the files that are used, their licences, and `vendored.json`: name, version, licence, the
registry's own digest of the package, and the SHA-256 of each file. A test holds the files to it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[1] / "reviewqueue" / "static" / "vendor"
NPM = shutil.which("npm") or "npm"


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    folder: str
    files: dict[str, str]
    """Patterns in the package, each with the folder that its files go to."""


PACKAGES = (
    Package(
        "pdfjs-dist", "6.5.438", "pdfjs",
        {
            "LICENSE": "", "legacy/build/pdf.min.mjs": "", "legacy/build/pdf.worker.min.mjs": "",
            "legacy/build/pdf.renderer.min.mjs": "",
            "cmaps/*": "cmaps", "standard_fonts/*": "standard_fonts",
            # WebAssembly is not let run here; these do the same without.
            "wasm/*_nowasm_fallback.js": "wasm", "wasm/LICENSE_*JBIG2": "wasm", "wasm/LICENSE_*OPENJPEG": "wasm",
        },
    ),
)  # fmt: skip


def fetch(package: Package, into: Path) -> Path:
    """The package unpacked, once its digest is that of the registry."""
    wanted = f"{package.name}@{package.version}"
    told = subprocess.run([NPM, "view", wanted, "--json"], check=True, capture_output=True)
    integrity = json.loads(told.stdout)["dist"]["integrity"]
    subprocess.run([NPM, "pack", wanted, "--pack-destination", str(into)], check=True, capture_output=True)
    archive = next(into.glob("*.tgz"))
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != integrity:
        raise SystemExit(f"{wanted} is {found}, and the registry says {integrity}.")
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
    (into / "integrity").write_text(integrity)
    return into / "package"


def vendor(package: Package) -> None:
    target = VENDOR / package.folder
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = fetch(package, Path(scratch))
        for pattern, folder in package.files.items():
            (target / folder).mkdir(parents=True, exist_ok=True)
            for path in sorted(source.glob(pattern)):
                shutil.copyfile(path, target / folder / path.name)
        about: dict[str, Any] = {
            "name": package.name, "version": package.version,
            "licence": json.loads((source / "package.json").read_text())["license"],
            "integrity": (Path(scratch) / "integrity").read_text(),
        }  # fmt: skip
    paths = sorted(path for path in target.rglob("*") if path.is_file())
    about["files"] = {
        str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }  # fmt: skip
    (target / "vendored.json").write_text(json.dumps(about, indent=1) + "\n")


for each in PACKAGES:
    vendor(each)
    print(f"{each.name} {each.version}")
