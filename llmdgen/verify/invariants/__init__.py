"""The rules over a whole rendered directory, one file a topic. Importing this package registers all of them.

Rules that look at the model servers alone are in `llmdgen.checks`, where a spec's plan is judged by them too.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
