"""The Python functions of this project, without a gateway."""

from __future__ import annotations

import time
from typing import Any

from nightmail import batch_completion, batch_completion_models, completion

from bench.clients.first_text import seconds_to_text
from bench.clients.prompts import KEY, MESSAGES, MODEL, PARAMETERS


def many(url: str, prompts: int, concurrency: int) -> None:
    answers = batch_completion(
        f"openai/{MODEL}",
        [MESSAGES] * prompts,
        api_base=f"{url}/v1",
        api_key=KEY,
        max_workers=concurrency,
        **PARAMETERS,
    )
    assert isinstance(answers, list)
    assert all(_is_answered(answer) for answer in answers)
    assert len(answers) == prompts


def one(url: str) -> None:
    answer = completion(
        f"openai/{MODEL}", MESSAGES, api_base=f"{url}/v1", api_key=KEY, **PARAMETERS
    )
    assert _is_answered(answer)


def alone(urls: list[str]) -> None:
    one(*urls)


def race(urls: list[str]) -> None:
    answer = batch_completion_models(
        messages=MESSAGES, deployments=_deployments(urls), **PARAMETERS
    )
    assert _is_answered(answer)


def first_token(urls: list[str]) -> float:
    begun = time.perf_counter()
    chunks = batch_completion_models(
        messages=MESSAGES, deployments=_deployments(urls), stream=True, **PARAMETERS
    )
    return seconds_to_text(begun, chunks)


def _deployments(urls: list[str]) -> list[dict[str, str]]:
    return [
        {"model": f"openai/runner-{place}", "api_base": f"{url}/v1", "api_key": KEY}
        for place, url in enumerate(urls)
    ]


def _is_answered(answer: Any) -> bool:
    return bool(answer.choices[0].message.content)
