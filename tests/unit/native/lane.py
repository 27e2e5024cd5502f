"""What the suite of whole lives knows of a native lane: its calls, so that faults strike them, and
what it cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NativeLane:
    """One provider: the paths of its calls at the simulator, as faults match them, and the class that
    has its limits.

    `batch` is the path of one batch. Of what defaults from these, a provider with calls of its own says:
    `creates` and `stops` are the paths of POSTs, `listed` and `results` of GETs. `upload` is the path of a
    POST before the one that pays, if there is one.

    `keeps_tags`: a batch that was started can be told from all others. `validates`: it may fail a
    batch that it has taken. `explains`: of a batch that failed it says what was wrong, line by line, in
    OpenAI's words. `keeps_expired`: one that expires has the results of what was run. `tells_unrun`:
    a line that was not run is told so. `cancels`: a batch
    can be stopped. `lists`: there is a call that finds a batch again. `names_batches`: a batch
    is found by its name too. `fields`: what its deployments have besides.
    """

    provider: str
    batches: str
    batch: str
    results: str
    format: type
    keeps_tags: bool
    validates: bool
    creates: str = ""
    listed: str = ""
    stops: str = ""
    upload: str = ""
    explains: bool = True
    keeps_expired: bool = True
    tells_unrun: bool = True
    cancels: bool = True
    lists: bool = True
    names_batches: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def create(self) -> Json:
        return self._call("POST", self.creates or self.batches)

    @property
    def list(self) -> Json:
        return self._call("GET", self.listed or self.batches)

    @property
    def poll(self) -> Json:
        return self._call("GET", self.batch)

    @property
    def cancel(self) -> Json:
        return self._call("POST", self.stops or f"{self.batch}/cancel")

    @property
    def content(self) -> Json:
        return self._call("GET", self.results)

    @property
    def calls(self) -> dict[str, Json]:
        """The calls of a batch's good life, by their names."""
        upload = {"upload": self._call("POST", self.upload)} if self.upload else {}
        return {**upload, "create": self.create, "poll": self.poll, "content": self.content}

    def _call(self, method: str, path: str) -> Json:
        return {"provider": self.provider, "method": method, "path": path}
