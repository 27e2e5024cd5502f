"""What is measured, each in a process of its own (`bench.worker`).

A module is a client; its functions take what an order names, and do it once. `litellm_sdk` and
`litellm_tour` run in the peers' environment, where nothing of the project is installed.
"""
