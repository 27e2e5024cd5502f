"""Run the simulator: `python -m local.simulator --port 4010 [--host ADDRESS] [--log-file FILE]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from local.simulator.server import create_server


def main() -> None:
    parser = argparse.ArgumentParser(prog="local.simulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--log-file", type=Path, help="write each call there as a line of JSON")
    chosen = parser.parse_args()
    create_server(chosen.host, chosen.port, chosen.log_file).run()


if __name__ == "__main__":
    main()
