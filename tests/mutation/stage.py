"""A copy of the package and of its converters' tests, laid out as mutmut wants them: under `src`."""

from __future__ import annotations

import shutil
from pathlib import Path

_SETTINGS = """\
[tool.mutmut]
source_paths = ["src"]
only_mutate = [
  "src/nightmail/providers/anthropic/*.py",
  "src/nightmail/providers/cohere/*.py",
  "src/nightmail/providers/conversion/*.py",
  "src/nightmail/providers/openai_protocol/*.py",
]
# The native lane, which is I/O.
do_not_mutate = [
  "src/nightmail/providers/anthropic/batches.py",
  "src/nightmail/providers/openai_protocol/batches.py",
]
# Prose: tests look for what a message names, not for its words.
do_not_mutate_patterns = ['"[^"]*[a-z,.] [a-z][^"]*"']
also_copy = ["conftest.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--import-mode=importlib"]
pytest_add_cli_args_test_selection = ["tests/unit"]
use_git_change_detection = false

[tool.pytest.ini_options]
pythonpath = [".", "src"]
"""
# A mutant lives or dies the same way every time.
_CONFTEST = """\
from hypothesis import settings

settings.register_profile(
    "mutation", derandomize=True, max_examples=20, deadline=None, database=None
)
settings.load_profile("mutation")
"""
_FOLDERS = ("adapters", "native")
_TESTS = (
    *("test_anthropic_*.py", "test_cohere_*.py", "test_openai_*.py"),
    *(f"{folder}/*.py" for folder in _FOLDERS),
)
# Tests with this in them speak over sockets, to what is not here.
_SOCKETS = "from local."


def set_up(root: Path, stage: Path) -> None:
    """Make `stage` anew from the project in `root`."""
    shutil.rmtree(stage, ignore_errors=True)
    package = Path("nightmail")
    cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "layers" / "nightmail" / package, stage / "src" / package, ignore=cache)
    unit = Path("tests", "unit")
    for folder in _FOLDERS:
        (stage / unit / folder).mkdir(parents=True)
    for path in (*_helpers(root / unit), *_converter_tests(root / unit)):
        shutil.copy(path, stage / path.relative_to(root))
    (stage / "pyproject.toml").write_text(_SETTINGS, encoding="utf-8")
    (stage / "conftest.py").write_text(_CONFTEST, encoding="utf-8")


def _helpers(unit: Path) -> list[Path]:
    """What tests share; the conftest knows the whole project."""
    shared = [path for path in unit.glob("*.py") if not path.name.startswith("test_")]
    return [path for path in shared if path.name != "conftest.py"]


def _converter_tests(unit: Path) -> list[Path]:
    found = [path for pattern in _TESTS for path in unit.glob(pattern)]
    return [path for path in found if _SOCKETS not in path.read_text(encoding="utf-8")]
