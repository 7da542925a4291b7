"""Checks of what vLLM is started with, one topic a file. Importing this package registers all of them."""

from llmdgen.engine.checks import connectors, context, environment, flags, limits, parallel, speculation, types

__all__ = ["connectors", "context", "environment", "flags", "limits", "parallel", "speculation", "types"]
