"""Signatures of AWS (SigV4), made again for the one key whose secret is known here."""

from __future__ import annotations

import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.simulator.dialect import RawRequest

KNOWN_KEY, KNOWN_SECRET = "AKIDEXAMPLE", "secret"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/"
    r"aws4_request, SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def is_genuine(request: RawRequest) -> bool:
    """False where a request of the known key has another signature than that which it should have."""
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers.items()}
    told = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if told is None or told["key"] != KNOWN_KEY:
        return True
    signed = {name: headers.get(name, "") for name in told["names"].split(";")}
    url = f"http://{headers['host']}{request.target}"
    again = AWSRequest(request.method, url, signed, bytes(request.content))
    again.context["timestamp"] = headers.get("x-amz-date", "")
    credentials = Credentials(KNOWN_KEY, KNOWN_SECRET).get_frozen_credentials()
    signer = SigV4Auth(credentials, told["service"], told["region"])
    text = signer.string_to_sign(again, signer.canonical_request(again))
    return bool(signer.signature(text, again) == told["signature"])
