"""The functions' environment: the only reader of `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

MEBIBYTE = 1024 * 1024


class Settings(BaseModel):
    """One field for each environment variable of the template, of the same name in capitals."""

    model_config = ConfigDict(frozen=True)

    table_name: str
    bucket_name: str
    secret_name: str
    config_key: str = "config/config.yaml"
    state_machine_arn: str = ""
    event_bus_name: str = "default"
    max_batch_lines: int = 10_000_000
    max_batch_bytes: int = 8 * 1024 * MEBIBYTE
    shard_concurrency: int = 40
    map_concurrency: int = 5
    chunk_lines: int = 1000
    chunk_concurrency: int = 100
    max_upload_bytes: int = 8 * 1024 * MEBIBYTE
    max_part_bytes: int = 4 * MEBIBYTE

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Raises pydantic's ValidationError where the template forgot one."""
        names = {name: name.upper() for name in cls.model_fields}
        return cls.model_validate(
            {name: environment[key] for name, key in names.items() if key in environment}
        )
