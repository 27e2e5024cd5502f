"""The documents say what is true, as far as that can be checked."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nightmail.batch import BatchStatus
from nightmail.provider_names import SERVED
from nightmail.providers.registry import folder_of, has_direct_lane

from local.build import ROOT
from local.provider_table import PAGE, page

PACKAGE = ROOT / "layers" / "nightmail" / "nightmail"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TAKEN_AWAY = {folder_of(name) for name in SERVED if not has_direct_lane(name)}
TROUBLESHOOTING = ROOT / "docs" / "operations" / "troubleshooting.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> list[str]:
    text = _FENCED.sub("", path.read_text(encoding="utf-8"))
    return re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The ids that a code host gives to headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(path))
    return {heading.replace(" ", "-") for heading in plain}


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Path and anchor of every link that leads to a file of ours, and of no folder taken away."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target and TAKEN_AWAY.isdisjoint(re.split(r"[/_.]", target)):
            place, _, anchor = target.partition("#")
            yield place, anchor


def error_codes() -> set[str]:
    """Every error code that the package and the API's own refusals can give."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        found |= set(_codes(ast.parse(path.read_text(encoding="utf-8"))))
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    return found | set(re.findall(r'"code": "(\w+)"', template))


def _codes(tree: ast.Module) -> Iterator[str]:
    """Texts that are given as `code`: by keyword, by position, as an attribute, in a table."""
    positions = dict(_code_positions(tree))
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="code", value=value):
                yield from _texts(value)
            case ast.Assign(targets=[ast.Name(id="default_code" | "code")], value=value):
                yield from _texts(value)
            case ast.Call(func=ast.Name(id=name), args=args) if positions.get(name, 9) < len(args):
                yield from _texts(args[positions[name]])
            case ast.Dict(keys=keys, values=values):
                fields = zip(keys, values, strict=True)
                yield from (
                    text for key, value in fields if _is_code(key) for text in _texts(value)
                )
                pairs = (value.elts for value in values if isinstance(value, ast.Tuple))
                yield from (text for pair in pairs if len(pair) > 1 for text in _texts(pair[0]))


def _is_code(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and key.value == "code"


def _code_positions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Where functions of a module take a `code`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
            if "code" in names:
                yield node.name, names.index("code")


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be: a constant, or one at the end of `x or "text"`."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.BoolOp(values=values):
            yield from (text for value in values for text in _texts(value))
        case ast.Call(args=args):
            alternatives = [argument for argument in args if isinstance(argument, ast.BoolOp)]
            yield from (text for argument in alternatives for text in _texts(argument))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_of_ours_leads_somewhere(path: Path) -> None:
    for place, anchor in links(path):
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), place
        if anchor:
            assert anchor in anchors(target), f"{place}#{anchor}"


def test_the_collector_finds_codes_in_every_form_in_which_they_are_written() -> None:
    source = """
class Wrong(Exception):
    default_code = "as_attribute"
def error(number, code, message): ...
error(1, "by_position", "text")
Wrong("text", code=found or "by_keyword")
code = str(entry.get("code") or "by_assignment")
OWED = {Ending.LOST: ("in_a_table", "text")}
"""
    expected = {"as_attribute", "by_position", "by_keyword", "by_assignment", "in_a_table"}

    assert set(_codes(ast.parse(source))) == expected


def test_troubleshooting_has_a_heading_for_every_status_and_every_error_code() -> None:
    codes = error_codes()

    assert {"invalid_api_key", "duplicate_custom_id", "batch_expired", "unknown_url"} <= codes
    assert codes | {str(status) for status in BatchStatus} <= set(headings(TROUBLESHOOTING))


@pytest.mark.of(*SERVED)
def test_troubleshooting_has_no_heading_for_a_code_that_nothing_gives() -> None:
    words = {heading for heading in headings(TROUBLESHOOTING) if re.fullmatch("[a-z_]+", heading)}

    assert words - error_codes() - {str(status) for status in BatchStatus} == set()


def test_every_make_target_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"\bmake ([a-z]+)", "\n".join(_code(path)))
    }

    assert named >= {"demo", "test", "local", "stop", "check", "build"}
    assert named <= targets


def _code(path: Path) -> list[str]:
    """The pieces of a document that are set as code."""
    text = path.read_text(encoding="utf-8")
    return [body for _, body in _FENCED.findall(text)] + re.findall(r"`([^`\n]+)`", text)


def test_readme_names_an_event_for_every_function_and_each_is_there() -> None:
    named = re.findall(r"`([a-z_]+)\.([a-z_0-9]+)`", README)
    functions = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    events = {f"{function}.{case}" for function, case in named if function in functions}

    assert {function for function, _ in named} >= functions
    for name in events:
        assert (ROOT / "events" / f"{name}.json").exists(), name
        assert (ROOT / "events" / f"{name}.expected.json").exists(), name


def test_readme_pictures_every_state_that_calls_a_function() -> None:
    machine = json.loads((ROOT / "statemachine" / "batch.asl.json").read_text(encoding="utf-8"))
    (picture,) = (body for kind, body in _FENCED.findall(README) if kind == "mermaid")

    assert {name for name in tasks(machine) if name not in picture} == set()


def tasks(machine: dict[str, Any]) -> Iterator[str]:
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name
        for within in [*state.get("Branches", []), state.get("ItemProcessor")]:
            yield from tasks(within) if within else []


def test_the_changelog_has_an_entry_for_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert any(heading.split()[0] == version for heading in headings(ROOT / "CHANGELOG.md"))


def test_every_parameter_that_the_documents_and_samconfig_name_exists() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    parameters = re.findall(
        r"^  (\w+):\n    Type: (?:String|Number)$", template, flags=re.MULTILINE
    )
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    overrides = [
        pair.partition("=")[0]
        for environment in ("default", "local")
        for pair in config[environment]["deploy"]["parameters"]["parameter_overrides"]
    ]
    named = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"parameters? `(\w+)`(?:, `(\w+)`)?", path.read_text())
    }

    assert {name for pair in named for name in pair if name} | set(overrides) <= set(parameters)


def test_every_note_of_the_design_is_in_its_list() -> None:
    design = ROOT / "docs" / "design"
    linked = [place for place, _ in links(design / "architecture.md") if place.startswith("0")]

    assert list(dict.fromkeys(linked)) == [path.name for path in sorted(design.glob("0*.md"))]


def test_the_table_of_providers_is_what_the_adapters_say() -> None:
    """`make docs` writes it. The rows of a provider whose folder was taken away are nobody's."""
    rows = PAGE.read_text(encoding="utf-8").splitlines()

    assert [row for row in rows if not is_of_absent_provider(row)] == page().splitlines()


def is_of_absent_provider(row: str) -> bool:
    """Whether this is a row of a table that is about providers which are not here, and them alone."""
    names = set(re.findall(r"`(\w+)`", row.split("|")[1])) if row.startswith("|") else set()
    return bool(names & SERVED) and not any(map(has_direct_lane, names))
