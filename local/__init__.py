"""The local cloud: development tools, of which nothing is deployed."""
