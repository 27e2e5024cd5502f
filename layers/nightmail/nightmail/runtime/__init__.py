"""A client of the Lambda Runtime API that streams, which Lambda's own for Python does not.

`start`, a program for AWS_LAMBDA_EXEC_WRAPPER, runs it in the place of Lambda's own. It imports nothing
but the standard library, and knows nothing of what it carries.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and runtimes-custom.html
"""
