"""A local cloud for a bench's own use."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from openai import DefaultHttpxClient, OpenAI
from openai.types import Batch

from local import cloud, processes
from local.build import ROOT

CHAT: Final = "/v1/chat/completions"


@contextmanager
def running_gateway(
    config: Mapping[str, Any] | None = None, parameters: Mapping[str, str] | None = None
) -> Iterator[cloud.Cloud]:
    """`config` in the place of the simulated models, `parameters` in that of the template's defaults."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        file = Path(folder) / "config.json"  # which is YAML, too
        file.write_text(json.dumps(config))
        settings = cloud.Settings(
            state=state,
            port=processes.free_port(),
            stack="bench",
            cache=ROOT / ".local" / "build",
            config=file if config else cloud.DEFAULT_CONFIG,
            parameters=parameters or {},
        )
        try:
            yield cloud.start(settings)
        finally:
            cloud.stop(state)


def client_of(gateway: cloud.Cloud) -> OpenAI:
    """The stock client of the gateway's admin."""
    return OpenAI(
        base_url=gateway.base_url,
        api_key=gateway.keys.master,
        http_client=DefaultHttpxClient(trust_env=False),
    )


def run_batch(client: OpenAI, input_file_id: str, pause_seconds: float = 0.2) -> Batch:
    """A batch of chats, at its end."""
    batch = client.batches.create(
        input_file_id=input_file_id, endpoint=CHAT, completion_window="24h"
    )
    while batch.status not in {"completed", "failed", "expired", "cancelled"}:
        time.sleep(pause_seconds)
        batch = client.batches.retrieve(batch.id)
    return batch
