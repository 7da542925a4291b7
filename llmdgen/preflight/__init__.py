"""Whether a live cluster can run a plan: questions that only read, each answered by one row."""
