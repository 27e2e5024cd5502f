"""Azure OpenAI's protocol: deployments in the path, a key in a header of its own, and a proxy's errors."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from local.simulator import answers
from local.simulator.dialect import Event, Headers, Json
from local.simulator.errors import ApiError
from local.simulator.markers import How
from local.simulator.openai_dialect import OpenAIDialect, bearer_of

_DEPLOYMENT = re.compile(r"/deployments/(?P<name>[^/]+)(?P<path>/.+)")
_UNAUTHORIZED = 401
_FOR_BATCHES = "-globalbatch"
_WRONG_TYPE = "The operation does not work with the specified model. Please choose a different model and try again."


class _Paths(Container[str]):
    """OpenAI's, and the same below a deployment."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and _own(path) in answers.ANSWERS


class AzureDialect(OpenAIDialect):
    paths: Container[str] = _Paths()

    def key_of(self, headers: Headers) -> str:
        return headers.get(b"api-key", b"").decode("latin-1") or bearer_of(headers)

    def read(self, path: str, body: Json) -> Json:
        found = _DEPLOYMENT.fullmatch(path)
        return {**body, "model": found["name"]} if found else body

    def check(self, path: str, headers: Headers, body: Json) -> None:
        """A deployment of the type GlobalBatch has that at the end of its name; a batch's line has no
        headers.
        """
        super().check(_own(path), headers, body)
        if headers and str(body.get("model")).endswith(_FOR_BATCHES):
            raise ApiError(400, _WRONG_TYPE, code="OperationNotSupported")

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        return super().answer(_own(path), body, withheld)

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:
        return super().events(_own(path), body, answer)

    def envelope(self, error: ApiError, request_id: str) -> Json:
        """What stands before the service refuses keys, and knows nothing of OpenAI."""
        if error.status == _UNAUTHORIZED:
            return {"statusCode": _UNAUTHORIZED, "message": error.message}
        return super().envelope(error, request_id)


def _own(path: str) -> str:
    found = _DEPLOYMENT.fullmatch(path)
    return found["path"] if found else path
