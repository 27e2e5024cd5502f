"""Fireworks' datasets and batch jobs; it answers directly as OpenAI does."""
