"""Nightmail: a serverless LLM batch gateway. Everything that is not wiring lives in this package."""
