"""Answers are objects and dictionaries at once, whatever a server sends."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import nightmail
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail import Batch, BatchPage, Message, ModelResponse, NightmailError, Object

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "own": {"field": [{"deep": True}]},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_fields_are_attributes_and_keys() -> None:
    answer = ModelResponse(ANSWER)

    assert answer.choices[0].message.tool_calls
    assert answer.choices[0].message.tool_calls[0].function.name == "f"
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert answer.get("usage").get("total_tokens") == answer.usage["total_tokens"] == 3
    assert isinstance(answer["choices"][0].message, Message)
    assert answer.own.field[0].deep is True
    assert "usage" in answer
    assert "choices" in dir(answer)


def test_a_declared_field_that_did_not_come_is_none() -> None:
    message = Message({"role": "assistant"})

    assert message.content is None
    assert message.get("content", "nothing") == "nothing"
    with pytest.raises(KeyError):
        _ = message["content"]
    with pytest.raises(AttributeError, match="nonsense"):
        _ = message.nonsense


def test_answers_are_plain_again() -> None:
    answer = ModelResponse(copy.deepcopy(ANSWER))
    _ = answer.choices[0].message

    dumped = answer.model_dump()
    assert dumped == answer.to_dict() == json.loads(answer.model_dump_json(indent=2)) == ANSWER
    assert type(dumped["choices"][0]) is dict
    assert json.loads(json.dumps(answer)) == json.loads(answer.json()) == ANSWER
    assert "content" not in answer.model_dump(exclude_none=True)["choices"][0]["message"]


def test_answers_can_be_copied_pickled_and_shown() -> None:
    answer = ModelResponse(copy.deepcopy(ANSWER))
    _ = answer.choices[0]

    for other in (copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
        assert type(other) is ModelResponse
        assert other == answer
        assert other.choices[0].message.tool_calls == answer.choices[0].message.tool_calls
    assert repr(answer).startswith("ModelResponse(id='chatcmpl-1', object='chat.completion'")


def test_a_field_can_be_set() -> None:
    answer = ModelResponse(copy.deepcopy(ANSWER))

    answer.choices[0].message.content = "Hi"
    answer.note = {"mine": 1}

    assert answer["choices"][0]["message"]["content"] == "Hi"
    assert answer.note.mine == 1


def test_a_batch_reads_as_the_examples_read_it() -> None:
    counts = {"total": 3, "completed": 2, "failed": 1}
    page = BatchPage(data=[{"id": "b", "status": "completed", "request_counts": counts}])

    batch = page.data[0]
    assert isinstance(batch, Batch)
    assert batch.request_counts.get("total", 0) == 3
    assert batch.request_counts["completed"] == batch.request_counts.completed == 2
    assert batch.errors is None


@given(st.dictionaries(st.sampled_from([*ANSWER, "a", ""]), JSON))
def test_nothing_is_refused_for_its_form(body: dict[str, Any]) -> None:
    plain = copy.deepcopy(body)
    answer = ModelResponse(body)
    for name in plain:
        assert answer[name] == plain[name]
    _ = (answer.choices, answer.usage, repr(answer), dir(answer))

    assert answer.model_dump() == plain


def test_exceptions_can_be_pickled() -> None:
    error = nightmail.RateLimitError("Slow down.", status_code=429, llm_provider="openai")

    again = pickle.loads(pickle.dumps(error))

    assert isinstance(again, NightmailError)
    assert (again.message, again.status_code, again.llm_provider) == ("Slow down.", 429, "openai")
    assert str(again) == "Slow down."


def test_the_tree_of_exceptions() -> None:
    assert issubclass(nightmail.APITimeoutError, nightmail.APIConnectionError)
    assert issubclass(nightmail.NotFoundError, nightmail.APIStatusError)
    assert issubclass(nightmail.APIStatusError, nightmail.APIError)
    assert nightmail.Timeout is nightmail.APITimeoutError
    assert issubclass(Object, dict)
