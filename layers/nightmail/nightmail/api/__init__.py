"""The HTTP API: OpenAI's requests in, OpenAI's objects out."""
