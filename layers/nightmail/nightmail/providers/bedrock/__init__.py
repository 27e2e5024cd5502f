"""Amazon Bedrock: the Converse API for chat, InvokeModel for embeddings, and model invocation jobs.

Facts are those of botocore's service models `bedrock-runtime`, of 2023-09-30, and `bedrock`, of 2023-04-20.
"""
