"""Amazon Bedrock: the Converse API for chat, InvokeModel for embeddings.

Facts are those of botocore's service model `bedrock-runtime`, of 2023-09-30.
"""
