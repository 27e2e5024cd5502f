"""`python -m local.provider_table` writes docs/providers.md: what the adapters say of themselves.

A feature is asked for with a small request; the adapter that refuses none of it has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nightmail.deployment import Deployment, Lane
from nightmail.endpoints import CHAT, ENDPOINTS
from nightmail.errors import InvalidRequest
from nightmail.provider_names import SERVED
from nightmail.providers.base import BatchFormat
from nightmail.providers.card import Card
from nightmail.providers.registry import card_of, open_direct

from local.build import ROOT

PAGE = ROOT / "docs" / "providers.md"
_PIXEL = "data:image/png;base64,iVBORw0KGgo="
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_TOOL = {"type": "function", "function": {"name": "look", "parameters": _SCHEMA}}
_FEATURES: Mapping[str, Mapping[str, Any]] = {
    "streams": {"stream": True},
    "tools": {"tools": [_TOOL]},
    "one tool at most": {"tools": [_TOOL], "parallel_tool_calls": False},
    "images": {
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": _PIXEL}}]}
        ]
    },
    "JSON schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True},
        }
    },
    "reasoning": {"reasoning_effort": "low"},
    "`stop`": {"stop": ["END"]},
    "`seed`": {"seed": 7},
    "`n`": {"n": 2},
    "`logprobs`": {"logprobs": True},
}
# The names of models differ in what they can; these are of each vendor's newest that are known here.
_MODELS = {
    "anthropic": "claude-opus-4-5",
    "fireworks": "accounts/yours/models/a-model",
    "fireworks_ai": "accounts/yours/models/a-model",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "gemini": "gemini-2.5-flash",
}
_HEAD = """# Providers

What each adapter has, as `make docs` reads it off the adapters themselves.
A deployment's lane is `native` where there is a batch API for the endpoint of a line, and `direct` elsewhere; `batch` in the config chooses.
Where it says `(native)`, the lane is there with `batch: native` alone: whether the server has OpenAI's batches is for the config to say.
"""
_FEATURES_HEAD = """
## What a chat may ask for

An empty place means that such a request is refused by name, or goes without it where `drop_params` is set.
Whether the model behind it can do it is for its provider to say.
Servers that are self-made (vLLM, Ollama and others) are sent what they are asked.
"""


@dataclass(frozen=True)
class _Provider:
    """Those of a folder's names that differ in nothing which is said here."""

    names: tuple[str, ...]
    card: Card

    @property
    def title(self) -> str:
        return ", ".join(map(_code, self.names))

    def deployment(self, lane: Lane = "native") -> Deployment:
        name = self.names[0]
        model = _MODELS.get(name, "a-model")
        bases = {"api_base": "https://provider.example/v1"}
        return Deployment.model_validate(
            {"name": "any", "provider": name, "model": model, "lane": lane, **bases}
        )


def page() -> str:
    """The whole page."""
    providers = list(_providers())
    return "\n".join(
        [
            _HEAD,
            *_table(["provider", *map(_code, ENDPOINTS)], map(_endpoints_row, providers)),
            "\n## What a batch of the provider's takes\n",
            *_table(
                ["provider", "lines", "bytes", "at least", "hours", "counts while it runs"],
                (_limits_row(each, form) for each in providers if (form := _form_of(each))),
            ),
            _FEATURES_HEAD,
            *_table(["provider", *_FEATURES], map(_features_row, providers)),
            "",
        ]
    )


def _providers() -> Iterator[_Provider]:
    """All that is served, by their folders."""
    alike: dict[tuple[int, str], list[_Provider]] = {}
    for name in sorted(SERVED):
        card = card_of(name)
        if card is not None:
            one = _Provider((name,), card)
            alike.setdefault((id(card), str(_facts(one))), []).append(one)
    for group in alike.values():
        yield _Provider(tuple(one.names[0] for one in group), group[0].card)


def _facts(provider: _Provider) -> list[list[str]]:
    """All rows, without the name that each begins with."""
    form = _form_of(provider)
    limits = _limits_row(provider, form) if form else []
    return [row[1:] for row in (_endpoints_row(provider), limits, _features_row(provider))]


def _form_of(provider: _Provider) -> BatchFormat | None:
    """That of its native lane; one that a stack alone has counts, wherever this runs."""
    card, deployment = provider.card, provider.deployment()
    is_there = card.open_shared or card.has_batches(deployment)
    return card.format(deployment) if card.format and is_there else None


def _endpoints_row(provider: _Provider) -> list[str]:
    card, form = provider.card, _form_of(provider)
    is_unasked = card.open_shared or card.has_batches(provider.deployment("auto"))
    lanes = {
        "native" if is_unasked else "(native)": form.endpoints if form else set(),
        "direct": card.direct_endpoints(provider.names[0]),
    }
    return [provider.title, *(_lanes(each, lanes) for each in ENDPOINTS)]


def _lanes(endpoint: str, lanes: Mapping[str, Collection[str]]) -> str:
    return ", ".join(lane for lane, endpoints in lanes.items() if endpoint in endpoints)


def _limits_row(provider: _Provider, form: BatchFormat) -> list[str]:
    limits = form.limits
    return [
        provider.title,
        f"{limits.lines:,}",
        f"{limits.bytes:,}",
        str(limits.minimum_lines),
        str(limits.window_seconds // 3600),
        "yes" if form.live_counts else "",
    ]


def _features_row(provider: _Provider) -> list[str]:
    return [provider.title, *("yes" if _has(provider, ask) else "" for ask in _FEATURES.values())]


def _has(provider: _Provider, ask: Mapping[str, Any]) -> bool:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9000, **ask}
    is_stream = body.pop("stream", False)
    try:
        open_direct(provider.deployment(), "key").request(CHAT, body, stream=is_stream)
    except InvalidRequest:
        return False
    return True


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from map(_row, (head, ["---"] * len(head), *rows))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
