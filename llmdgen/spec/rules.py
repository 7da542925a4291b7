"""The rules that reading a spec applies, as the catalogue shows them: rules.txt beside this file has the text of each,
as `registry.declare` takes it. Reading does not need them; `llmdgen explain`, the documentation and the reports do."""

from __future__ import annotations

import os
import re

from llmdgen.registry import declare

_WHY_NOT_SECRETS = """
    A spec is committed, reviewed, and copied into what is rendered: a secret in it is public to everyone who reads any
    of them, and stays in the history after it is deleted. It is looked for in the whole text, comments included, and
    no message repeats it. Revoke it: deleting it is not enough.
"""

with open(os.path.join(os.path.dirname(__file__), "rules.txt"), encoding="utf-8") as _file:
    _texts = re.split(r"\n(?=[A-Z]+[0-9]{3} )", _file.read().strip())
for _text in _texts:
    _head, _, _explanation = _text.partition("\n")
    declare(f"{_head}\n{_WHY_NOT_SECRETS * _head.startswith('SEC')}\n{_explanation}")
