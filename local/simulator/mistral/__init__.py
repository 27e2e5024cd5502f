"""Mistral's batch jobs; it answers directly as OpenAI does."""
