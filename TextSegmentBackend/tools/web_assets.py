"""Puts the web page's files of others into ``src/textsegment/web/assets``, before the package is built.

    python tools/web_assets.py                   # needs npm
    python tools/web_assets.py --where-possible  # goes on without them, and says so

npm fetches the packages of ``package-lock.json``, checks their hashes, and runs no script of theirs. Their
licenses are gathered in ``LICENSES.txt`` (docs/adr/0014-web-assets.md). Standard library only: ``setup.py``
calls it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

BACKEND = Path(__file__).resolve().parents[1]
NOTICES = BACKEND / "tools" / "notices"
WEB = BACKEND / "src" / "textsegment" / "web"
ASSETS = WEB / "assets"
VERSION = "version.txt"
LICENSES = "LICENSES.txt"
# Script and WebAssembly of each, and the name that the script gives its function: it is no module.
CODECS = {
    "@cornerstonejs/codec-openjpeg": ("openjpegwasm_decode", "OpenJPEGWASM"),
    "@cornerstonejs/codec-charls": ("charlswasm_decode", "CharLSWASM"),
}
# A registry that does not answer must not hold up an installation.
PATIENCE_S = 180
FETCH_TIMEOUT_MS = 30_000


class AssetsMissingError(Exception):
    """The files cannot be fetched."""


def wanted_version() -> str:
    """Return a digest of everything that decides what the files are."""
    sources = [Path(__file__), BACKEND / "package-lock.json", *sorted(NOTICES.iterdir())]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def are_there() -> bool:
    """Return whether the files are there, and up to date."""
    version = ASSETS / VERSION
    return version.is_file() and version.read_text("ascii") == wanted_version()


def fetch() -> None:
    """Fetch the files, and put them in place all at once.

    Raises:
        AssetsMissingError: npm is missing or fails.
    """
    with (
        tempfile.TemporaryDirectory() as made,
        tempfile.TemporaryDirectory(dir=WEB, prefix=".assets") as beside,
    ):
        packages = _installed(Path(made))
        folder = Path(beside) / "assets"
        folder.mkdir()
        shutil.copy(packages / "@niivue/niivue/dist/niivue.umd.js", folder / "niivue.js")
        for package, (name, function) in CODECS.items():
            script = (packages / package / "dist" / f"{name}.js").read_text("utf-8")
            (folder / f"{name}.js").write_text(f"{script}\nexport default {function};\n", "utf-8")
            shutil.copy(packages / package / "dist" / f"{name}.wasm", folder / f"{name}.wasm")
        (folder / LICENSES).write_text("\n".join(_licenses(packages)), "utf-8")
        (folder / VERSION).write_text(wanted_version(), "ascii")
        if ASSETS.exists():
            ASSETS.rename(Path(beside) / "before")
        folder.rename(ASSETS)


def _installed(folder: Path) -> Path:
    """Install the locked packages into a folder; return the folder that they are in."""
    npm = shutil.which("npm")
    if npm is None:
        raise AssetsMissingError("npm is missing (it comes with Node.js)")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(BACKEND / name, folder / name)
    command = [npm, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
    command.append(f"--fetch-timeout={FETCH_TIMEOUT_MS}")
    try:
        done = subprocess.run(command, cwd=folder, timeout=PATIENCE_S, capture_output=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AssetsMissingError(f"npm did not run: {type(error).__name__}") from error
    if done.returncode:
        raise AssetsMissingError(f"npm failed:\n{done.stderr.decode('utf-8', 'replace').strip()}")
    return folder / "node_modules"


def _licenses(packages: Path) -> Iterator[str]:
    """Yield the licenses of the packages, and of what they hold of others."""
    yield "The web page of TextSegment holds files of others. These are their licenses.\n"
    for description in sorted(packages.glob("**/package.json")):
        package = json.loads(description.read_text("utf-8"))
        if "version" not in package or "name" not in package:
            continue  # a folder in a package, not a package
        yield f"{'=' * 100}\n{package['name']} {package['version']} ({package['license']})\n"
        texts = [*description.parent.glob("LICENSE*"), *description.parent.glob("license*")]
        own = NOTICES / f"{package['name'].rpartition('/')[2]}.txt"
        found = sorted({text.resolve() for text in texts if text.is_file()}) + (
            [own] if own.is_file() else []
        )
        if not found:
            raise AssetsMissingError(f"{package['name']} has no license text: write it into {own}")
        yield from (text.read_text("utf-8") for text in found)


def main() -> None:
    """Fetch the files unless they are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--where-possible", action="store_true", help="without npm, say what will be missing and go on"
    )
    wanted = parser.parse_args()
    if are_there():
        return
    try:
        fetch()
    except AssetsMissingError as error:
        if not wanted.where_possible:
            sys.exit(f"The web page's files of others were not fetched: {error}")
        lacking = "The web page will have no 3-D, and read no JPEG 2000 or JPEG-LS"
        print(f"{lacking}: its files of others were not fetched, since {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
