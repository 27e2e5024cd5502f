"""xAI: a card, and what it tells."""
