"""Make what the emulator runs: the runtime's stand-in, the layer and the functions' archives.

`sam build` is for AWS: it fetches packages for the template's interpreter and processor. The local
cloud runs on the interpreter and processor that are there.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
IGNORED = {"__pycache__", ".mypy_cache", ".DS_Store", "Makefile", "requirements.txt"}


class BuildFailed(Exception):
    """Packages could not be installed; the text says which and why."""


def runtime(cache: Path) -> Path:
    """A folder like AWS's /var/runtime: the runtime client and boto3."""
    return _installed(ROOT / "requirements" / "runtime.txt", cache, "runtime")


def layer_archive(source: Path, cache: Path) -> bytes:
    """A layer as AWS takes it, from a folder of packages and a requirements.txt."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as layer:
        for folder in _layer_parts(source, cache):
            for file in _files(folder):
                layer.write(file, Path("python") / file.relative_to(folder))
    return archive.getvalue()


def function_archive(source: Path) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as function:
        for file in _files(source):
            function.write(file, file.relative_to(source))
    return archive.getvalue()


def _layer_parts(source: Path, cache: Path) -> list[Path]:
    requirements = source / "requirements.txt"
    if not requirements.exists():
        return [source]
    return [_installed(requirements, cache, "layer"), source]


def _files(folder: Path) -> Iterator[Path]:
    """Every file to pack; compiled modules of installed packages, not those that a run left."""
    compiled = (folder / ".compiled").exists()
    for file in sorted(folder.rglob("*")):
        ignored = IGNORED - {"__pycache__"} if compiled else IGNORED
        if file.is_file() and not ignored & set(file.relative_to(folder).parts):
            yield file


def _installed(requirements: Path, cache: Path, name: str) -> Path:
    """Packages of one requirements file, installed once for each of its versions."""
    python = f"{platform.python_implementation()}{platform.python_version()}{platform.machine()}"
    digest = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:16]
    folder = cache / f"{name}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:  # clouds may start side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".compiled").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(requirements, folder)
            _compile(folder)
            (folder / ".compiled").touch()
    return folder


def _install(requirements: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    result = subprocess.run(
        [*command, "--target", str(folder), "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        name = requirements.relative_to(ROOT) if requirements.is_relative_to(ROOT) else requirements
        raise BuildFailed(f"The packages of {name} could not be installed: {result.stderr.strip()}")


def _compile(folder: Path) -> None:
    # Unpacking changes the times of files: only hash-based modules stay valid.
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command = [sys.executable, "-m", "compileall", *options, str(folder)]
    subprocess.run(command, capture_output=True, check=False)
