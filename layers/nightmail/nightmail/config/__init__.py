"""What the operator decides: the environment of the functions, `config.yaml`, the secret."""
