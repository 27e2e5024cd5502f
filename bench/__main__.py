"""`make bench`: every bench but the long one; `python -m bench <name> [options]`: one of them.

Figures are printed and never asserted. They depend on the machine and on what else it does: the ratios count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module

BENCHES = {
    "many": "bench.many",
    "race": "bench.race",
    "first_token": "bench.first_token",
    "handler": "bench.handler",
    "converters": "bench.converters",
    "transport": "bench.transport",
    "direct": "bench.direct_lane",
    "batch": "bench.batch",
    "prices": "bench.prices",
    "size": "bench.size",
    "litellm": "bench.litellm_gateway",
}
LONG = {"size"}


def main(arguments: Sequence[str]) -> None:
    if not arguments:
        for name in BENCHES:
            if name not in LONG:
                _run(name, [])
    elif arguments[0] in BENCHES:
        _run(arguments[0], arguments[1:])
    else:
        names = " | ".join(BENCHES)
        sys.exit(f"{__doc__}\npython -m bench [{names}] [--help]")


def _run(name: str, options: Sequence[str]) -> None:
    module = import_module(BENCHES[name])
    print(f"\n# {name}: {(module.__doc__ or '').strip()}")
    start = time.monotonic()
    module.main(options)
    print(f"({name} took {time.monotonic() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
