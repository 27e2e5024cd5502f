"""Anthropic's Messages API: pure converters from and to OpenAI's chat, and a thin class.

Facts are those of API version 2023-06-01, the last one that takes a temperature.
"""
