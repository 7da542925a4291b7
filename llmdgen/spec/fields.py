"""What the types of a spec are made of: patterns, scalars, and the base of each part.

None of the modules of these types has `from __future__ import annotations`: msgspec would compile every annotation
anew, and a render has a tenth of a second.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
CPU = r"^([0-9]+(\.[0-9]+)?|[0-9]+m)$"
SIZE = r"^[0-9]+(\.[0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"
DURATION = r"^[1-9][0-9]*(s|m|h)$"
ABSOLUTE_PATH = r"^/[-A-Za-z0-9._/]+$"
FINDING_CODE = r"^[A-Z][A-Z0-9]{1,4}[0-9]{3}$"
COMMIT = r"^[0-9a-f]{40}$"
REGISTRY = r"^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"

ROLES: tuple[Literal["prefill", "decode"], ...] = ("prefill", "decode")  # in the order of a request

Count = Annotated[int, Meta(ge=1)]
Cpu = Annotated[str, Meta(pattern=CPU, max_length=32)]
Size = Annotated[str, Meta(pattern=SIZE, max_length=32)]
Duration = Annotated[str, Meta(pattern=DURATION, max_length=8)]
Label = Annotated[str, Meta(pattern=DNS_LABEL, max_length=63)]
Subdomain = Annotated[str, Meta(pattern=DNS_SUBDOMAIN, max_length=253)]
Commit = Annotated[str, Meta(pattern=COMMIT)]
Registry = Annotated[str, Meta(pattern=REGISTRY)]
AbsolutePath = Annotated[str, Meta(pattern=ABSOLUTE_PATH)]
FindingCode = Annotated[str, Meta(pattern=FINDING_CODE)]
Env = dict[str, str]
Args = dict[str, Any]


class Base(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Every part of the spec: immutable, keyword-only, camelCase in YAML, closed to unknown keys."""
