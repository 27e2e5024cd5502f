"""The Python library: the functions that people have in their code."""
