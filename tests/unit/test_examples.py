"""The example files are what they claim to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from nightmail.config.gateway import parse_config, referenced_names
from nightmail.lines import Line, read_line

from local.build import ROOT
from local.simulator.openai_dialect import OpenAIDialect

EXAMPLES = ROOT / "examples"
CHAT = ("requests.jsonl", "/v1/chat/completions", "gpt-5-mini", 60)
EMBEDDINGS = ("embeddings.jsonl", "/v1/embeddings", "text-embedding-3-small", 20)


def answer(endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    dialect, path = OpenAIDialect(), endpoint.removeprefix("/v1")
    dialect.check(path, {}, body)
    return dialect.answer(path, body, None)


def bodies(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Custom id and body of each request."""
    for text in (EXAMPLES / name).read_text(encoding="utf-8").splitlines():
        entry = json.loads(text)
        yield entry["custom_id"], entry["body"]


@pytest.mark.parametrize(("name", "endpoint", "model", "least"), [CHAT, EMBEDDINGS])
def test_an_example_file_is_a_valid_batch_for_one_model(
    name: str, endpoint: str, model: str, least: int
) -> None:
    rows = (EXAMPLES / name).read_bytes().splitlines()
    lines = [read_line(row, number, endpoint) for number, row in enumerate(rows, 1)]

    assert [line for line in lines if not isinstance(line, Line)] == []
    valid = [line for line in lines if isinstance(line, Line)]
    assert len(valid) >= least
    assert {line.model for line in valid} == {model}
    assert len({line.custom_id for line in valid}) == len(valid)


@pytest.mark.parametrize(("name", "endpoint"), [CHAT[:2], EMBEDDINGS[:2]])
def test_every_request_of_an_example_file_has_an_answer_of_its_own(
    name: str, endpoint: str
) -> None:
    answers = [json.dumps(answer(endpoint, body)) for _, body in bodies(name)]

    assert len(set(answers)) == len(answers)


def test_the_chat_examples_are_varied() -> None:
    entries = dict(bodies(CHAT[0]))
    kinds = {custom_id.split("-")[0] for custom_id in entries}
    prompts = [json.dumps(body["messages"], ensure_ascii=False) for body in entries.values()]

    assert kinds >= {"ticket", "review", "invoice", "cv", "summary", "translation", "clean"}
    assert min(map(len, prompts)) * 3 < max(map(len, prompts))
    assert any("response_format" in body for body in entries.values())
    assert any(not prompt.isascii() for prompt in prompts)


def test_answers_in_json_have_the_fields_that_were_asked_for() -> None:
    for custom_id, body in bodies(CHAT[0]):
        wanted = body.get("response_format", {}).get("json_schema", {}).get("schema")
        if wanted:
            content = answer(CHAT[1], body)["choices"][0]["message"]["content"]
            assert set(wanted["required"]) <= set(json.loads(content)), custom_id


def test_the_example_config_is_valid_and_holds_no_key() -> None:
    config = parse_config((EXAMPLES / "config.yaml").read_text(encoding="utf-8"))

    assert config.warnings == ()
    assert "OPENAI_API_KEY" in referenced_names(config)


def test_the_local_config_knows_the_models_of_the_examples() -> None:
    config = parse_config((ROOT / "local" / "config.yaml").read_text(encoding="utf-8"))

    for _, _, model, _ in (CHAT, EMBEDDINGS):
        assert [deployment.model for deployment in config.deployments(model)] == [model]


@pytest.mark.parametrize("model", [CHAT[2], EMBEDDINGS[2]])
def test_the_example_config_serves_the_example_files(model: str) -> None:
    config = parse_config((EXAMPLES / "config.yaml").read_text(encoding="utf-8"))
    assert config.deployments(model)
    assert config.warnings == ()
