"""Checks of what vLLM is started with, one topic a file; `llmdgen.engine.check` runs them."""
