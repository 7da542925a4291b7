"""Kubernetes quantities: read "1500m", "64Gi", "18Ti"; write what a reviewer would have written."""

from __future__ import annotations

_BYTES = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
}
_MILLIS = {"m": 1, **{unit: 1000 * factor for unit, factor in _BYTES.items()}}
MIB = 2**20
GIB = 2**30


def to_bytes(quantity: str) -> int:
    """Bytes of a memory or storage quantity, rounded up. "m" (thousandths) is not a size and raises ValueError."""
    return _scaled(quantity, _BYTES)


def to_millis(quantity: str) -> int:
    """Millicores of a cpu quantity, rounded up: "16" is 16000, "1500m" is 1500. Raises ValueError for anything else."""
    return _scaled(quantity, _MILLIS)


def bytes_or_none(quantity: object) -> int | None:
    """Bytes of what stands where a memory quantity should, None for anything else."""
    try:
        return None if quantity is None else to_bytes(str(quantity))
    except ValueError:
        return None


def millis_or_none(quantity: object) -> int | None:
    """Millicores of what stands where a cpu quantity should, None for anything else."""
    try:
        return None if quantity is None else to_millis(str(quantity))
    except ValueError:
        return None


def mib_text(mib: int) -> str:
    """A memory quantity: whole Gi where it is whole, Mi otherwise."""
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"


def cpu_text(millis: int) -> str:
    """A cpu quantity: whole cores where it is whole, millicores otherwise."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def _scaled(quantity: str, units: dict[str, int]) -> int:
    number = quantity.rstrip("kMGTPiKm")
    unit = quantity[len(number) :]
    if unit not in units:
        raise ValueError(f"{quantity!r} is not a quantity")
    whole, _, part = number.partition(".")
    scale: int = 10 ** len(part)
    return -(-int(whole + part) * units[unit] // scale)
