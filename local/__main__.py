"""`python -m local start|stop|status|demo`: the local cloud from the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local import cloud
from local.build import ROOT
from local.demo import demo
from local.provider_config import ConfigRefused
from local.renewal import renew

DEFAULT_PORT = 4000
MOST_PORTS = 65_535


def main() -> int:
    options = _options()
    actions = {"start": _start, "stop": _stop, "status": _status, "demo": _demo}
    return actions[options.action](options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status", "demo"])
    parser.add_argument("--port", type=_port, help=f"where the gateway answers: {DEFAULT_PORT}")
    parser.add_argument("--config", type=Path, help="a config.yaml of yours")
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="where its files lie")
    return parser.parse_args()


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port <= MOST_PORTS:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to {MOST_PORTS}")
    return port


def _start(options: argparse.Namespace) -> int:
    running = cloud.running_variables(options.state)
    if running is not None:
        return _found(running, options)
    settings = cloud.Settings(
        state=options.state,
        port=options.port or DEFAULT_PORT,
        config=options.config or cloud.DEFAULT_CONFIG,
    )
    try:
        started = cloud.start(settings)
    except cloud.StartFailed as error:
        print(f"The local cloud did not start. {error}", file=sys.stderr)
        return 1
    _warn(started.warnings, started.missing)
    _tell(started.variables, options.state)
    return 0


def _found(running: dict[str, str], options: argparse.Namespace) -> int:
    """What runs already is left as it is, or has another config from now on."""
    if options.port and f":{options.port}/" not in running["OPENAI_BASE_URL"]:
        print(
            f"A local cloud already runs at {running['OPENAI_BASE_URL']}. To change its port, end it "
            "first: make stop",
            file=sys.stderr,
        )
        return 1
    if options.config is None:
        _tell(running, options.state)
        return 0
    try:
        renewed = renew(options.state, running, options.config, os.environ)
    except ConfigRefused as error:
        print(f"The local cloud keeps the config that it has. {error}", file=sys.stderr)
        return 1
    _warn(renewed.warnings, renewed.missing)
    print(f"The local cloud runs already; within a minute it takes {options.config} and its keys.")
    _tell(renewed.variables, options.state)
    return 0


def _warn(warnings: Sequence[str], missing: Sequence[str]) -> None:
    for warning in warnings:
        print(f"Config: {warning}")
    for name in missing:
        print(f"{name} is not set in this shell; models that need it will say so.")


def _tell(variables: dict[str, str], state: Path) -> None:
    print(f"OPENAI_BASE_URL={variables['OPENAI_BASE_URL']}")
    print(f"OPENAI_API_KEY={variables['OPENAI_API_KEY']}")
    place = state.relative_to(Path.cwd()) if state.is_relative_to(Path.cwd()) else state
    print(f"For a shell: set -a; . {place}/env")


def _stop(options: argparse.Namespace) -> int:
    print("Stopped." if cloud.stop(options.state) else "No local cloud was running.")
    return 0


def _status(options: argparse.Namespace) -> int:
    running = cloud.running_variables(options.state)
    if running is None:
        print("No local cloud is running.")
        return 1
    _tell(running, options.state)
    return 0


def _demo(options: argparse.Namespace) -> int:
    return demo(options.state, options.port or DEFAULT_PORT)


if __name__ == "__main__":
    sys.exit(main())
