"""Cohere's chat and embeddings, version 2."""
