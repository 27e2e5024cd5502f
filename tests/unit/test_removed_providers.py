"""A provider's folder can be taken away: its own tests go with it, and nothing else breaks."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

import nightmail
import pytest

from tests.unit.adapters.table import ADAPTERS
from tests.unit.folders import ROOT
from tests.unit.native.table import ADAPTERS as NATIVE
from tests.unit.native_lanes import NATIVE_LANES

PACKAGE = Path(nightmail.__file__).parent
FOLDERS = sorted(card.parent.name for card in PACKAGE.glob("providers/*/card.py"))
SUITES = ("tests/unit", "tests/contract", "tests/e2e")
_PROVIDERS = "nightmail.providers."


@cache
def imported(path: Path) -> frozenset[str]:
    """The dotted names that a module imports anywhere: modules, and what may be a module in one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def source_of(name: str) -> Path | None:
    """The file of a module of this project that is not in the layer; None for all others."""
    path = ROOT.joinpath(*name.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((source for source in found if source.is_file()), None)


@cache
def reached(path: Path) -> frozenset[str]:
    """The providers' folders that a module imports, itself or through others of the project."""
    folders: set[str] = set()
    seen, ahead = {path}, [path]
    while ahead:
        for name in imported(ahead.pop()):
            if name.startswith(_PROVIDERS):
                folders.add(name.removeprefix(_PROVIDERS).split(".")[0])
            source = source_of(name)
            if source and source not in seen:
                seen.add(source)
                ahead.append(source)
    return frozenset(folders & set(FOLDERS))


def test_only_modules_that_are_named_after_a_provider_import_its_folder() -> None:
    modules = [path for suite in SUITES for path in sorted((ROOT / suite).rglob("*.py"))]
    assert len(modules) > 200
    strangers = {
        str(path.relative_to(ROOT)): sorted(others)
        for path in modules
        if (others := {folder for folder in reached(path) if folder not in path.stem})
    }
    assert strangers == {}


def test_what_the_tests_of_a_provider_import_is_seen() -> None:
    """Else the test above could not fail."""
    unit = ROOT / "tests" / "unit"
    assert "anthropic" in reached(unit / "native" / "anthropic_samples.py")
    assert "cohere" in reached(unit / "test_cohere_stream.py")  # through a module that it imports
    assert reached(unit / "world.py") == frozenset()


# ---- With folders really gone

_GONE = ("anthropic", "bedrock", "groq")
"""One with an API of its own, one that contracts of imports name, and one that is like another's."""
_TOLD = """
import json, sys
from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.registry import card_of, has_native_lane, open_direct
from tests.unit.adapters.table import ADAPTERS
from tests.unit.native.table import ADAPTERS as NATIVE
from tests.unit.native_lanes import NATIVE_LANES

def refusal(provider):
    deployment = Deployment(name="m", provider=provider, model="m")
    assert card_of(provider) is None and not has_native_lane(deployment)
    try:
        open_direct(deployment, "k")
    except InvalidRequest as error:
        return error.code

tables = [[one.provider for one in ADAPTERS], [one.direct.provider for one in NATIVE], [*NATIVE_LANES]]
print(json.dumps([tables, [refusal(provider) for provider in sys.argv[1:]]]))
"""
_RUN = ("lanes", "docs")


def run(layer: Path, *arguments: str) -> str:
    """What Python says, with this layer in the place of ours."""
    environment = {**os.environ, "PYTHONPATH": f"{layer}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def layer_without(folders: Iterable[str], place: Path) -> Path:
    shutil.copytree(PACKAGE, place / "nightmail", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in folders:
        shutil.rmtree(place / "nightmail" / "providers" / folder)
    return place


# OpenAI's folder is the one that others are like.
@pytest.mark.parametrize("folders", [_GONE, ("openai",)], ids=",".join)
def test_without_folders_all_others_are_in_the_suites(
    tmp_path: Path, folders: tuple[str, ...]
) -> None:
    cards = [import_module(f"{_PROVIDERS}{folder}.card").CARD for folder in folders]
    names = sorted(name for card in cards for name in card.names)
    layer = layer_without(folders, tmp_path)

    tables, refusals = json.loads(run(layer, "-c", _TOLD, *names))

    ours = [
        [samples.provider for samples in ADAPTERS],
        [samples.direct.provider for samples in NATIVE],
        [*NATIVE_LANES],
    ]
    assert tables == [[name for name in table if name not in names] for table in ours]
    assert tables != ours
    assert refusals == ["unsupported_provider"] * len(names)


@pytest.mark.slow
def test_without_folders_contracts_of_imports_hold_and_tests_of_others_pass(tmp_path: Path) -> None:
    """All contract tests are collected, and the library's of what providers refuse are run."""
    layer = layer_without(_GONE, tmp_path)
    lint = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    assert "0 broken" in run(layer, "-c", lint)

    units = [f"tests/unit/test_{name}.py" for name in _RUN]
    chosen = " or ".join(
        [*(f"test_{name}.py" for name in _RUN), "the_library_raises_openais_class"]
    )
    quietly = ("-q", "-p", "no:cacheprovider", "-o", f"pythonpath={layer} {ROOT}")
    told = run(layer, "-m", "pytest", *quietly, *units, "tests/contract", "-k", chosen)
    assert " passed" in told
