"""Mistral: a card, and what it tells."""
