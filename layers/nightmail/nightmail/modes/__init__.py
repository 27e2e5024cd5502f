"""Every way to ask: one model, many prompts, many models. Requests are checked here, and answered by the engine."""
