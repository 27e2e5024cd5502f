"""Azure OpenAI as the simulator plays it: OpenAI with other addresses, keys and words."""
