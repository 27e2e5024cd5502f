"""What providers refuse in ways of their own: the right class, OpenAI's envelope, the provider's words."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx
import nightmail
import pytest

from local.simulator.client import SimulatorClient
from tests.contract.calls import create_batch, look, results
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.simulated import as_jsonl, chat, line
from tests.template import Json

PROMPT = [{"role": "user", "content": "Hi"}]
KEY = "sk-simulator"


@dataclass(frozen=True)
class Refusal:
    """What a provider answers with `status` and `words`, what a caller sees of it (`shown`, `code`),
    and the library's class.
    """

    model: str
    fault: Json
    status: int
    words: str
    shown: int
    code: str
    kind: type[nightmail.NightmailError]

    @property
    def provider(self) -> str:
        return self.model.partition("/")[0]

    @property
    def message(self) -> str:
        return f"{self.provider} answered {self.status}: {self.words}"


def said(status: int, body: Json) -> Json:
    """The fault of an answer as it was seen."""
    content = {"body": json.dumps(body), "media_type": "application/json"}
    return {"kind": "status", "status": status, **content}


_WRONG_TYPE = (
    "The chatCompletion operation does not work with the specified model, gpt-4o. "
    "Please choose different model and try again."
)
_MISSING = {"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}
_UNKNOWN = {
    "type": "extra_forbidden",
    "loc": ["body", "foo"],
    "msg": "Extra inputs are not permitted",
}
_FILTERED = {
    "message": "The response was filtered.",
    "type": None,
    "param": None,
    "code": "content_filter",
    "status": 400,
    "innererror": {"code": "ResponsibleAIPolicyViolation"},
}
REFUSALS = {
    "a Bedrock model without access": Refusal(
        "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0",
        {"kind": "status", "status": 403},
        403,
        "You don't have access to the model with the specified model ID.",
        502,
        "AccessDeniedException",
        nightmail.PermissionDeniedError,
    ),
    "a Gemini key that is wrong": Refusal(
        "gemini/gemini-2.5-flash",
        {"kind": "refused_key"},
        400,
        "API key not valid. Please pass a valid API key.",
        502,
        "API_KEY_INVALID",
        nightmail.AuthenticationError,
    ),
    "an Azure deployment of another type": Refusal(
        "azure/my-gpt",
        said(400, {"error": {"code": "OperationNotSupported", "message": _WRONG_TYPE}}),
        400,
        _WRONG_TYPE,
        400,
        "OperationNotSupported",
        nightmail.BadRequestError,
    ),
    "a prompt that Azure's filter holds back": Refusal(
        "azure/my-gpt",
        said(400, {"error": _FILTERED}),
        400,
        "The response was filtered.",
        400,
        "content_filter",
        nightmail.BadRequestError,
    ),
    "a list of Mistral's": Refusal(
        "mistral/mistral-small-latest",
        said(422, {"detail": [_MISSING, _UNKNOWN]}),
        422,
        "body.messages.0.role: Field required; body.foo: Extra inputs are not permitted",
        422,
        "provider_rejected",
        nightmail.UnprocessableEntityError,
    ),
}


@pytest.fixture(params=list(REFUSALS.values()), ids=list(REFUSALS))
def refusal(request: pytest.FixtureRequest, simulator: SimulatorClient) -> Refusal:
    """It is what all calls of this provider meet."""
    refusal: Refusal = request.param
    simulator.behave({**refusal.fault, "match": {"provider": refusal.provider}})
    return refusal


def assert_envelope(error: Json, refusal: Refusal) -> None:
    assert error == {
        "message": refusal.message,
        "type": "server_error" if refusal.shown >= 500 else "invalid_request_error",
        "param": None,
        "code": refusal.code,
        "nightmail": {"provider": refusal.provider, "status": refusal.status},
    }


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_gateway_answers_in_openais_envelope(
    http: httpx.Client, refusal: Refusal, *, stream: bool
) -> None:
    asked = {"model": refusal.model, "messages": PROMPT, "stream": stream}

    answer = http.post("/chat/completions", json=asked)

    assert answer.status_code == refusal.shown
    assert_envelope(answer.json()["error"], refusal)


def test_the_library_raises_openais_class(simulator: SimulatorClient, refusal: Refusal) -> None:
    with pytest.raises(refusal.kind) as raised:
        nightmail.completion(
            refusal.model,
            PROMPT,
            api_key=KEY,
            api_base=simulator.base_of(refusal.provider),
        )

    assert type(raised.value) is refusal.kind
    assert raised.value.message == refusal.message
    assert raised.value.llm_provider == refusal.provider


def test_among_many_answers_of_a_gateway_it_has_the_same_class(
    server: GatewayServer, refusal: Refusal
) -> None:
    answers = nightmail.batch_completion_models_all_responses(
        [refusal.model, "gpt-4o"], PROMPT, base_url=f"{server.url}/v1", api_key=MASTER_KEY
    )

    refused, answered = answers
    assert type(refused) is refusal.kind
    assert refused.message == refusal.message
    assert isinstance(answered, nightmail.ModelResponse)


@pytest.mark.parametrize("window", ["1h", "24h"], ids=["direct", "native"])
def test_a_batchs_lines_fail_in_the_words_of_the_provider(
    http: httpx.Client, life: Life, simulator: SimulatorClient, refusal: Refusal, window: str
) -> None:
    lines = [line(number, chat("Hi", model=refusal.model)) for number in (1, 2)]
    batch_id = create_batch(http, as_jsonl(lines), completion_window=window)

    life.run("admin", batch_id)

    batch = look(http, batch_id)
    assert batch["request_counts"] == {"total": 2, "completed": 0, "failed": 2}
    for each in results(http, batch["error_file_id"]):
        error = each["error"] or each["response"]["body"]["error"]
        assert error["message"] == refusal.message
        assert error["code"] == refusal.code
    assert simulator.batches() == []


@pytest.mark.of("azure")
@pytest.mark.parametrize(("window", "completed"), [("1h", 0), ("24h", 2)], ids=["direct", "native"])
def test_an_azure_deployment_for_batches_alone_takes_batches_and_no_calls(
    http: httpx.Client, life: Life, window: str, completed: int
) -> None:
    model = "azure/my-gpt-globalbatch"
    called = http.post("/chat/completions", json={"model": model, "messages": PROMPT})
    assert (called.status_code, called.json()["error"]["code"]) == (400, "OperationNotSupported")

    lines = [line(number, chat("Hi", model=model)) for number in (1, 2)]
    batch_id = create_batch(http, as_jsonl(lines), completion_window=window)
    life.run("admin", batch_id)

    counts = look(http, batch_id)["request_counts"]
    assert counts == {"total": 2, "completed": completed, "failed": 2 - completed}
