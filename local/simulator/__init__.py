"""Providers that cost nothing, for tests and for a laptop.

One process is all of them, each under a prefix of its own (see `addresses`): OpenAI with files and
batches, chat, completions, responses, embeddings and moderations, and those that speak its protocol;
Anthropic with messages and batches of them; Cohere and Gemini with chat and embeddings. Requests are held
against what each provider documents (`openai_checks`, `anthropic.checks`, `cohere.checks`,
`gemini.checks`). Every answer is a function of its request (see `speech`); every call is logged, every
answer billed (see `billing`); and a control endpoint makes it misbehave (see `faults`). It imports nothing of Nightmail.
"""
