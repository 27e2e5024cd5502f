"""OpenRouter's batches; it answers directly as OpenAI does."""
