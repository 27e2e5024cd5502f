"""`python -m nightmail.runtime`: what `start` makes of the runtime's command line."""

from __future__ import annotations

import os

from nightmail.runtime.api import RuntimeApi
from nightmail.runtime.logs import open_log
from nightmail.runtime.serving import serve

if __name__ == "__main__":
    serve(RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"]), open_log(), os.environ["_HANDLER"])
