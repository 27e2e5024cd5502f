"""Groq as the simulator plays it: OpenAI, without nulls."""
