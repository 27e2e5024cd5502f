"""Servers that speak OpenAI's protocol and have no folder of their own."""
