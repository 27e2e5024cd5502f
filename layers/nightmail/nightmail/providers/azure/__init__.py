"""Azure OpenAI: a card, and what it tells."""
