"""Bedrock's protocol: its errors, and models that are named in the path or by a job."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping

from local.simulator.bedrock.answers import converse, embed, events, prompt_of, tokens_of
from local.simulator.bedrock.checks import check_converse, check_embeddings, refusal
from local.simulator.bedrock.event_stream import exception
from local.simulator.bedrock.signatures import is_genuine
from local.simulator.billing import Tokens
from local.simulator.dialect import Content, Event, Headers, Json, RawRequest
from local.simulator.errors import ApiError
from local.simulator.markers import How
from local.simulator.openai_dialect import bearer_of

_DIRECT = re.compile(r"/model/(?P<model>.+)/(?P<verb>converse|converse-stream|invoke)")
JOBS = "/model-invocation-job"
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/")
# botocore's service model `bedrock-runtime`.
_TYPICAL = {
    400: ("ValidationException", "Input is too long for requested model."),
    403: (
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    404: ("ResourceNotFoundException", "The requested resource was not found."),
    408: ("ModelTimeoutException", "The model took too long to answer."),
    424: ("ModelErrorException", "The model failed while it processed the request."),
    429: ("ThrottlingException", "Too many requests, please wait before trying again."),
    500: ("InternalServerException", "An internal server error occurred."),
    503: ("ServiceUnavailableException", "The service is not available."),
}


class _Paths(Container[str]):
    """Those of all models."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and _DIRECT.fullmatch(path) is not None


class BedrockDialect:
    paths: Container[str] = _Paths()
    batches: Mapping[str, Callable[[Content], str | None]] = {}
    stream_type = "application/vnd.amazon.eventstream"

    def key_of(self, headers: Headers) -> str:
        """A Bedrock API key, or the id of the key that a request is signed with."""
        signed = _SIGNED.match(headers.get(b"authorization", b"").decode("latin-1"))
        return signed[1] if signed else bearer_of(headers)

    def read(self, path: str, body: Json) -> Json:
        found = _DIRECT.fullmatch(path)
        if not found:
            return {**body, "model": body.get("modelId")} if path == JOBS else body
        is_stream = found["verb"] == "converse-stream"
        return {**body, "model": found["model"], **({"stream": True} if is_stream else {})}

    def check(self, path: str, headers: Headers, body: Json) -> None:  # noqa: ARG002
        if path.endswith("/invoke"):
            check_embeddings(body)
        else:
            check_converse(body)
        if path == JOBS and "toolConfig" in body:
            raise refusal("The toolConfig field is not supported in batch inference.")

    def check_signature(self, request: RawRequest) -> None:
        if not is_genuine(request):
            words = "The request signature we calculated does not match the signature you provided."
            raise _denied(words, "InvalidSignatureException")

    def prompt_of(self, body: Json) -> list[str]:
        return prompt_of(body)

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        return embed(body) if path.endswith("/invoke") else converse(body, withheld)

    def tokens(self, answer: Json) -> Tokens:
        return tokens_of(answer)

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:  # noqa: ARG002
        return events(answer)

    def typical(self, status: int) -> ApiError:
        name, text = _TYPICAL.get(status, _TYPICAL[500 if status >= 500 else 400])  # noqa: PLR2004
        return ApiError(status, text, headers={"x-amzn-errortype": name})

    def key_missing(self) -> ApiError:
        return _denied("Missing Authentication Token", "MissingAuthenticationTokenException")

    def key_refused(self, ending: str) -> ApiError:  # noqa: ARG002
        words = "The security token included in the request is invalid."
        return _denied(words, "UnrecognizedClientException")

    def model_not_found(self, model: str) -> ApiError:  # noqa: ARG002
        words = "The provided model identifier is invalid."
        return ApiError(400, words, headers={"x-amzn-errortype": "ValidationException"})

    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        return {"message": error.message}

    def error_event(self, error: ApiError, request_id: str) -> bytes:  # noqa: ARG002
        name, _ = _TYPICAL.get(error.status, _TYPICAL[500])
        return exception(name[:1].lower() + name[1:], error.message)

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:
        told = {"x-amzn-requestid": request_id}
        return {**told, "x-amzn-bedrock-invocation-latency": f"{milliseconds}"}


def _denied(words: str, name: str) -> ApiError:
    return ApiError(403, words, headers={"x-amzn-errortype": name})
