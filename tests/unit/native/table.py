"""The adapters that the suite runs over: those of the providers' folders that have samples here.

A module `<folder>_samples` has them, under the folder's name in capitals.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import nightmail.providers

from tests.unit.native.cases import NativeSamples


def _found() -> list[NativeSamples]:
    (providers,) = map(Path, nightmail.providers.__path__)
    modules = sorted(Path(__file__).parent.glob("*_samples.py"))
    folders = [module.stem.removesuffix("_samples") for module in modules]
    return [
        getattr(import_module(f"tests.unit.native.{folder}_samples"), folder.upper())
        for folder in folders
        if (providers / folder / "card.py").exists()
    ]


ADAPTERS: tuple[NativeSamples, ...] = tuple(_found())
