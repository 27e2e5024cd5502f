"""What Anthropic does with the requests of a batch: from the body that brought them to its results."""

from __future__ import annotations

from local.simulator.anthropic.batches import MessageBatch
from local.simulator.anthropic.dialect import BATCHES
from local.simulator.batches import Ending
from local.simulator.dialect import Headers, Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.inline_requests import Requests
from local.simulator.inline_work import InlineWork

_ENDINGS = {"cancelled": "canceled", "expired": "expired"}


class MessageWork(InlineWork[MessageBatch]):
    """`headers` are those of the creation: they count for every request of the batch."""

    def __init__(
        self,
        batch: MessageBatch,
        requests: Requests,
        headers: Headers,
        *,
        files: FileStore,
        executor: Executor,
    ) -> None:
        super().__init__(batch, requests, files=files, executor=executor)
        self._headers = headers

    def execute(self, place: int) -> None:
        request = self._requests[place]
        try:
            answer = self._executor.run_line(self._batch, BATCHES, self._headers, request["params"])
        except ApiError as error:
            envelope = self._executor.dialect.envelope(error, self._id("req", request))
            self._tell(request, {"type": "errored", "error": envelope})
        else:
            self._tell(request, {"type": "succeeded", "message": answer})

    def skip(self, place: int, ending: Ending) -> None:
        self._tell(self._requests[place], {"type": _ENDINGS[ending]})

    def _tell(self, request: Json, result: Json) -> None:
        self._write({"custom_id": request["custom_id"], "result": result})
