"""Cohere's Chat and Embed API, version 2."""
