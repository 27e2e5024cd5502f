"""Gemini's API (generativelanguage): pure converters from and to OpenAI's words, and a thin class a lane.

Facts are those of version v1beta, from Google's API reference and its discovery document.
"""
