"""xAI's batches; it answers directly as OpenAI does, and refuses in words of its own."""
