"""OpenAI, and whoever offers its Files and Batches API at another base URL."""
