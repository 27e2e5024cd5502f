"""OpenRouter: a card, and what it tells."""
