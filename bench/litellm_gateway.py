"""LiteLLM's own SDK as a client of the gateway: `litellm_proxy/<model>` on the local cloud, simulated models."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from bench.client import PEERS, PEERS_ENVIRONMENT, WITHOUT_PEERS, has_peers
from bench.gateway import running_gateway
from local.build import ROOT


def main(arguments: Sequence[str]) -> None:
    """Exits with an error where a call fails."""
    argparse.ArgumentParser(prog="python -m bench litellm", description=__doc__).parse_args(
        arguments
    )
    if not has_peers():
        print(WITHOUT_PEERS)
        return
    with running_gateway() as gateway:
        access = {
            "NIGHTMAIL_BASE_URL": gateway.base_url,
            "NIGHTMAIL_API_KEY": gateway.keys.master,
        }
        tour = subprocess.run(
            [str(PEERS), "-m", "bench.clients.litellm_tour"],
            cwd=ROOT,
            env={**os.environ, **PEERS_ENVIRONMENT, **access},
            check=False,
        )
    if tour.returncode:
        sys.exit(f"LiteLLM's SDK failed {tour.returncode} times.")
