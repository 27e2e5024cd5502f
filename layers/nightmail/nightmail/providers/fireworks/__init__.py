"""Fireworks: a card, and what it tells."""
