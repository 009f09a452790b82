"""One seed rules a run: everything random is derived from it by name."""

from __future__ import annotations

import hashlib
import random
import secrets


def fresh_seed() -> int:
    """A new 32-bit seed, for runs that were not given one."""
    return secrets.randbits(32)


def derive(seed: int, *names: object) -> int:
    """A 64-bit seed for one part of a run: the same names give the same seed on any machine."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])


def generator(seed: int, *names: object) -> random.Random:
    """A random generator of its own for one part of a run."""
    return random.Random(derive(seed, *names))
