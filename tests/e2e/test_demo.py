"""The demonstration and the examples, run as a newcomer runs them."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import DefaultHttpxClient, OpenAI
from rich.console import Console

from local import cloud as local_cloud
from local import demo
from local.build import ROOT
from local.provider_config import SIMULATOR_KEY
from local.simulator.answers import digest
from tests.e2e.conftest import BATCH_SECONDS, RunningCloud

README = ROOT / "README.md"
FOUR_MEGABYTES = 4 * 1024 * 1024


@pytest.fixture
def client(cloud: RunningCloud) -> Iterator[OpenAI]:
    """The stock client with the master key; afterwards the simulator behaves well again."""
    with OpenAI(
        base_url=cloud.base_url,
        api_key=cloud.key,
        http_client=DefaultHttpxClient(trust_env=False),
    ) as client:
        yield client
    cloud.simulator.behave()
    cloud.simulator.release()
    cloud.simulator.set(batch_seconds=BATCH_SECONDS)


def state_of(cloud: RunningCloud, folder: Path, config: Path) -> Path:
    """A state folder that tells of the running cloud, as if it had been started with `config`."""
    state = cloud.running.settings.state
    env = (state / "env").read_text()
    (folder / "pids.json").write_bytes((state / "pids.json").read_bytes())
    (folder / "env").write_text(env.replace(str(cloud.running.settings.config), str(config)))
    return folder


def example(cloud: RunningCloud, name: str, *arguments: str) -> str:
    """What an example says."""
    return python(cloud, f"examples/{name}", *arguments)


def python(cloud: RunningCloud, *arguments: str) -> str:
    """What a Python program says that has the variables of the cloud's `env` file."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **cloud.running.variables, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_demo_answers_every_example_and_saves_the_results(
    client: OpenAI, tmp_path: Path
) -> None:
    shown: list[tuple[str, int, int]] = []

    report = demo.run(client, demo.REQUESTS, tmp_path, lambda *state: shown.append(state))

    requests = [json.loads(line) for line in demo.REQUESTS.read_text().splitlines()]
    (output,) = report.saved.values()
    answers = [json.loads(line) for line in output.read_text().splitlines()]
    contents = [one["response"]["body"]["choices"][0]["message"]["content"] for one in answers]
    assert [one["custom_id"] for one in answers] == [one["custom_id"] for one in requests]
    assert all(
        digest(request["body"]) in content
        for request, content in zip(requests, contents, strict=True)
    )
    assert report.answers.keys() <= {one["custom_id"] for one in requests}
    assert shown[-1] == ("completed", len(requests), len(requests))
    assert sorted(done for _, done, _ in shown) == [done for _, done, _ in shown]


def test_the_demo_says_why_a_batch_failed(
    cloud: RunningCloud, client: OpenAI, tmp_path: Path
) -> None:
    cloud.simulator.behave({"kind": "refused_key", "match": {"key": SIMULATOR_KEY}})

    with pytest.raises(demo.DemoFailed, match=r"ended as failed\..*401"):
        demo.run(client, demo.REQUESTS, tmp_path, lambda *_: None)


def test_the_demo_gives_up_a_batch_that_does_not_end(
    cloud: RunningCloud, client: OpenAI, tmp_path: Path
) -> None:
    cloud.simulator.behave({"kind": "stuck_batch", "match": {"key": SIMULATOR_KEY}})

    with pytest.raises(demo.DemoFailed, match="given up"):
        demo.run(client, demo.REQUESTS, tmp_path, lambda *_: None, patience_seconds=0)


def test_make_demo_finds_the_cloud_running_and_says_that_a_simulator_answered(
    cloud: RunningCloud,
    client: OpenAI,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "BATCH_SECONDS", BATCH_SECONDS)
    state = state_of(cloud, tmp_path, local_cloud.DEFAULT_CONFIG)

    status = demo.demo(state, cloud.running.settings.port)

    said = capsys.readouterr().out
    assert status == 0, said
    assert f"Nightmail answers at {cloud.base_url}" in said
    assert re.search(r"67 of 67 requests completed, 0 failed; \d+ tokens in", said)
    assert "A simulator on this machine" in said
    assert "make stop" in said
    assert (state / "demo" / "output.jsonl").exists()


def test_make_demo_sends_nothing_through_a_cloud_with_a_config_of_the_users(
    cloud: RunningCloud, client: OpenAI, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = client.batches.list(limit=1).data

    status = demo.demo(state_of(cloud, tmp_path, tmp_path / "my.yaml"), cloud.running.settings.port)

    assert status == 1
    assert "a config of yours" in capsys.readouterr().out
    assert client.batches.list(limit=1).data == before


def test_the_code_of_the_readme_runs(cloud: RunningCloud, client: OpenAI) -> None:
    pieces = re.findall(
        r"^```python\n(.*?)^```", README.read_text(), flags=re.MULTILINE | re.DOTALL
    )

    said = python(cloud, "-c", "\n".join([*pieces, "print(answers, fastest)"]))

    assert "completed=67" in said
    assert said.count('"custom_id":') == 67
    assert '"outcome":"won"' in said
    assert said.count("chat.completion") >= 67 + 3


def test_without_a_terminal_the_progress_is_told_in_lines_and_each_once() -> None:
    text = io.StringIO()

    with demo.progress(Console(file=text)) as show:
        for state in [("validating", 0, 0), ("in_progress", 3, 9), ("in_progress", 3, 9)]:
            show(*state)
        show("completed", 9, 9)

    assert text.getvalue().split() == ["validating", "in_progress", "3/9", "completed", "9/9"]


@pytest.mark.parametrize("requests", ["requests.jsonl", "embeddings.jsonl"])
def test_the_example_of_a_batch_prints_its_results(
    cloud: RunningCloud, client: OpenAI, requests: str
) -> None:
    path = ROOT / "examples" / requests

    said = example(cloud, "run_batch.py", str(path))

    assert said.startswith("completed ")
    assert said.count('"custom_id":') == len(path.read_text().splitlines())


@pytest.mark.parametrize("way", [[], ["--s3"]])
def test_the_example_of_a_big_file_uploads_it_unchanged(
    cloud: RunningCloud, client: OpenAI, tmp_path: Path, way: list[str]
) -> None:
    path = tmp_path / "big.jsonl"
    line = demo.REQUESTS.read_bytes()
    path.write_bytes(line * (2 * FOUR_MEGABYTES // len(line) + 100))

    file_id = example(cloud, "big_file.py", str(path), *way).strip()

    assert client.files.retrieve(file_id).bytes == path.stat().st_size
    assert client.files.retrieve(file_id).filename == "big.jsonl"


def test_the_example_of_the_s3_door_finds_its_answers(cloud: RunningCloud, client: OpenAI) -> None:
    said = example(cloud, "s3_door.py")

    place, status = said.split("\n", 1)
    assert place.endswith(".status.json")
    assert json.loads(status)["request_counts"] == {"total": 67, "completed": 67, "failed": 0}


def test_the_example_of_many_prompts_prints_its_answers_twice(
    cloud: RunningCloud, client: OpenAI
) -> None:
    said = example(cloud, "many_prompts.py").strip().splitlines()

    assert len(said) == 3 + 1 + 3
    assert said[3].startswith("completed ")
