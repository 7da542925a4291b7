"""The rules of an upgrade, as the catalogue shows them: what stops one, and what is worth knowing about one."""

from __future__ import annotations

from llmdgen.findings import Located, Route
from llmdgen.registry import Rule, declare
from llmdgen.spec.model import Spec

BY_HAND = declare("""UPG001 error: a setting that a person has to change before the release does
    What the new release no longer has, and what has no equal there, is not guessed; nor is a line edited where
    something else on it would be lost. Nothing is written for the file until it is changed by hand.

    Fails:  args: {logits-processor-pattern: ...}, which vLLM 0.17.1 does not have and nothing replaces; a setting that
            moves to a place where another value stands already; spec.images with the old release's image
    Passes: env: {VLLM_ALL2ALL_BACKEND: naive}, which becomes args: {all2all-backend: naive}
""")

CHANGES = declare("""UPG002 note: the new release behaves differently here
    A default that changes with the release, or a setting that it sets aside. The spec is right as it is; its author may
    have relied on how it was.

    Noted:  kv_load_failure_policy, which vLLM 0.17.1 sets to fail where 0.15.1 recomputed
""")

NO_WAY = declare("""UPG003 error: no upgrade leads from this release to the other
    An upgrade goes from a release to a later one. Backwards there is no safe way: what the older release does not have
    would have to be taken out of the spec, and with it what its author wanted.

    Fails:  --to v0.5.1 for a spec with release: v0.6.0; take the spec as it was out of version control instead
    Passes: --to v0.6.0 for a spec with release: v0.5.1
""")

IN_A_BASE = declare("""UPG004 error: what has to change stands in a base
    A base may belong to many specs, some of which are not to be upgraded now. An upgrade changes the files that it is
    given, and each only in what stands in it.

    Fails:  a spec that extends base.yaml, which says release: v0.5.1
    Passes: the same spec with a release of its own, or after the base says the new one
""")

NO_FILE = declare("""UPG005 error: a file that cannot be written back
    The new text takes the place of a regular file, whole or not at all. A symbolic link is followed, and stays.

    Fails:  a pipe, such as a shell's <(...); a file without write permission
    Passes: a file, or a symbolic link to one
""")


def noted(rule: Rule, spec: Spec, at: Route, says: str, fix: str, on_key: bool = False) -> Located:
    """A finding of an upgrade about a place of a spec."""
    return Located(rule.at(*at, says=says, fix=fix, on_key=on_key), spec.locate(at, on_key))
