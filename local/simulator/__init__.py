"""A provider that costs nothing: an OpenAI-compatible upstream for tests and for a laptop.

It keeps files, runs batches and answers chat, completions, responses, embeddings and moderations.
Every answer is a function of its request (see `answers`), every call is logged, and a control
endpoint makes it misbehave (see `faults`). It imports nothing of Nightmail.
"""
