"""What a request may ask for: many prompts, a race, every answer; for the API and the library alike."""
