"""Start and end the local cloud's processes: the emulator (with the front door) and the simulator."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from local.build import ROOT

READY_SECONDS = 30
STOP_SECONDS = 10


class NotStarted(Exception):
    """A process ended or did not become ready; the text says which one, and its last words."""


@dataclass(frozen=True)
class Process:
    """A process of ours, in a session and process group of its own."""

    name: str
    pid: int
    log: Path

    def is_running(self) -> bool:
        """Whether the process is there and is still the one that was started."""
        child = _children.get(self.pid)
        if child is not None:
            return child.poll() is None
        command = _command(self.pid)
        return f"local.{self.name}" in command and str(self.log.parent) in command

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self) -> None:
        """Ask it to end, then make it: it and the functions' processes that it started."""
        if not self.is_running():
            return
        os.kill(self.pid, signal.SIGTERM)
        if not _wait(lambda: not self.is_running(), STOP_SECONDS):
            os.killpg(self.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def spawn(
    name: str, arguments: list[str], state: Path, variables: dict[str, str] | None = None
) -> Process:
    """Start `python -m local.<name>`, detached, with a log `<name>.log` in the state folder."""
    log = state / f"{name}.log"
    scratch = state / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", f"local.{name}", *arguments],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(scratch.resolve()), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[child.pid] = child
    return Process(name, child.pid, log)


def wait_until_ready(process: Process, url: str) -> None:
    """Return when the URL answers 200. Raises NotStarted if the process ends or takes too long."""
    answered = _wait(lambda: not process.is_running() or _answers(url), READY_SECONDS)
    if not answered or not process.is_running():
        raise NotStarted(f"The {process.name} did not start: {process.last_words()}")


def remember(processes: list[Process], state: Path) -> None:
    known = [{"name": each.name, "pid": each.pid, "log": str(each.log)} for each in processes]
    (state / "pids.json").write_text(json.dumps(known, indent=2))


def remembered(state: Path) -> list[Process]:
    """The processes that a start left in this state folder and that still run."""
    try:
        known = json.loads((state / "pids.json").read_text())
    except (OSError, ValueError):
        return []
    processes = [Process(each["name"], each["pid"], Path(each["log"])) for each in known]
    return [process for process in processes if process.is_running()]


# Only the parent can tell whether a child has ended: until it asks, the child is still listed.
_children: dict[int, subprocess.Popen[bytes]] = {}


def _command(pid: int) -> str:
    """The command line of somebody else's child; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        pass
    if Path("/proc").exists():
        return ""
    listing = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return listing.stdout


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
