"""What converters of several providers share: OpenAI's side of them."""
