"""A user's program runs on the newest official client and on the last of 1.x, in a process of its own."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from nightmail import wiring

from tests.contract.api_gateway import ApiGateway
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.template import ROOT

OLD = "1.109.1"
PROGRAM = Path(__file__).with_name("client_tour.py")


@pytest.fixture(scope="session")
def old_client() -> Path:
    """A folder with the old client and what it needs, kept for the next time."""
    folder = ROOT / ".local" / f"openai-{OLD}"
    if not (folder / "openai").is_dir():
        install = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
        command = [sys.executable, "-m", *install, "--target", str(folder), f"openai=={OLD}"]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture
def _batches_run_by_themselves(gateway: ApiGateway, life: Life) -> Iterator[None]:
    """One after another, as soon as they are created; those that say nothing are to be cancelled."""
    created: queue.Queue[tuple[str, str] | None] = queue.Queue()
    gateway.on_batch = lambda *batch: created.put(batch)

    def run() -> None:
        while batch := created.get():
            if wiring.batches().get(*batch).metadata:
                life.run(*batch)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    created.put(None)
    thread.join()


def run_tour(server: GatewayServer, *path: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    environment["PYTHONPATH"] = os.pathsep.join(str(each) for each in path)
    command = [sys.executable, str(PROGRAM), f"{server.url}/v1", MASTER_KEY]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("_batches_run_by_themselves")
def test_the_newest_client(server: GatewayServer) -> None:
    done = run_tour(server)

    assert done.stdout.strip() == openai.__version__, done.stderr


@pytest.mark.usefixtures("_batches_run_by_themselves")
def test_the_last_client_of_version_1(server: GatewayServer, old_client: Path) -> None:
    done = run_tour(server, old_client)

    assert done.stdout.strip() == OLD, done.stderr
