"""What is wrong with a spec, as a finding: reading knows no warnings."""

from __future__ import annotations

from llmdgen.findings import Finding, Located, Place, Route, Severity


def error(code: str, says: str, fix: str, at: Route = (), on_key: bool = False) -> Finding:
    """A finding about the value at a route, or about its key."""
    return Finding(code, Severity.ERROR, says, fix, at, on_key)


def error_at(place: Place, code: str, says: str, fix: str) -> Located:
    """A finding about a place in a text that has no routes, or none yet."""
    return Located(error(code, says, fix), place)
