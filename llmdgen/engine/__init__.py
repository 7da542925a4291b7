"""vLLM as a consumer of what is written: its flags, their values, and how they become an argument list."""
