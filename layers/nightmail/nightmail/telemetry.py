"""The logger that every function shares. Every line carries the request's or the batch's id."""

from __future__ import annotations

from aws_lambda_powertools import Logger

logger = Logger(service="nightmail", utc=True)
