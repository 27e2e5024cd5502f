"""What modules of the tests say of providers, as far as those have a folder: `groq_samples` of `groq`.

So a provider joins the shared suites by modules of its own, and leaves them with its folder.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import nightmail.providers

ROOT = Path(__file__).parents[2]


def modules_in(directory: Path, kind: str) -> dict[str, Any]:
    """The modules `<folder>_<kind>` of `directory`, by their folders."""
    (providers,) = map(Path, nightmail.providers.__path__)
    package = ".".join(directory.relative_to(ROOT).parts)
    paths = sorted(directory.glob(f"*_{kind}.py"))
    folders = [path.stem.removesuffix(f"_{kind}") for path in paths]
    return {
        folder: import_module(f"{package}.{folder}_{kind}")
        for folder in folders
        if (providers / folder / "card.py").exists()
    }


def attributes_in(directory: Path, kind: str) -> list[Any]:
    """What each of those modules holds under its folder's name in capitals."""
    modules = modules_in(directory, kind)
    return [getattr(module, folder.upper()) for folder, module in modules.items()]
