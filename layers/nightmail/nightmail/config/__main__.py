"""`python -m nightmail.config config.yaml`: is it valid, and what in it has no effect?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nightmail.config.gateway import parse_config, referenced_names
from nightmail.errors import InvalidConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Print warnings and the names that the secret has to hold; 1 where the config is wrong."""
    parser = argparse.ArgumentParser(prog="python -m nightmail.config", description=__doc__)
    parser.add_argument("path", type=Path, help="a config.yaml")
    path: Path = parser.parse_args(arguments).path
    try:
        config = parse_config(path.read_bytes())
    except (OSError, InvalidConfig) as error:
        sys.stderr.write(f"{path}:\n{error}\n")
        return 1
    lines = [f"warning: {warning}" for warning in config.warnings]
    lines += [f"needs {name} in the secret" for name in referenced_names(config)]
    count = len(config.model_names())
    lines.append(f"{path} is valid and names {count} {'model' if count == 1 else 'models'}.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
