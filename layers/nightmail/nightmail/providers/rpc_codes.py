"""What gRPC's codes are in HTTP: a line of a provider's batch may have either.

Source: google/rpc/code.proto, whose comments tell the mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RPC_STATUSES: Mapping[int, int] = MappingProxyType(
    {
        1: 499,
        2: 500,
        3: 400,
        4: 504,
        5: 404,
        6: 409,
        7: 403,
        8: 429,
        9: 400,
        10: 409,
        11: 400,
        12: 501,
        13: 500,
        14: 503,
        15: 500,
        16: 401,
    }
)
"""Cancelled is 499, which servers have for a client that closed its connection."""
