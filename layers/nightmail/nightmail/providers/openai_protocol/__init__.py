"""OpenAI's protocol, which many providers speak more or less: no provider, but what their cards use."""
