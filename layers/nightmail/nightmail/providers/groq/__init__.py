"""Groq: a card, and what it tells."""
