"""Together: a card, and what it tells."""
