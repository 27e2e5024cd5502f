"""Bedrock: Converse, ConverseStream, InvokeModel for embeddings, and model invocation jobs."""
