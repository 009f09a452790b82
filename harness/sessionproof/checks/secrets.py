"""The forms in which a secret may lie in data, and whether stored values tell equal secrets.

A form is kept beside the expression that makes it, so that a script can look for the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

Sort: TypeAlias = Literal["password", "token"]

_DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
_SHORTEST = 12  # bytes: what is shorter may stand anywhere by chance
VALUE_LEAST = 8
"""Characters of a value that may be made of a secret."""


@dataclass(frozen=True, slots=True)
class Form:
    """Bytes that give a secret away: in words, and as an expression in ``secret``."""

    words: str
    data: bytes
    expression: str


def forms(secret: str, sort: Sort) -> list[Form]:
    """Every form in which the secret could be used by whoever reads it.

    Of a password also its digests, as it can be guessed; of a token those do not help.
    """
    found = [*_encoded(secret)]
    found += _digests(secret) if sort == "password" else _packed(secret)
    return [form for form in found if len(form.data) >= _SHORTEST]


def _encoded(secret: str) -> Iterator[Form]:
    plain = secret.encode()
    yield Form("as it is", plain, "secret.encode()")
    yield Form("backwards", plain[::-1], "secret.encode()[::-1]")
    for order in ("le", "be"):
        yield Form(
            "in UTF-16", secret.encode(f"utf-16-{order}"), f"secret.encode('utf-16-{order}')"
        )
    yield Form("in hexadecimal", plain.hex().encode(), "secret.encode().hex().encode()")
    yield Form(
        "in hexadecimal", plain.hex().upper().encode(), "secret.encode().hex().upper().encode()"
    )
    for percent, case in (("%", "02X"), ("%", "02x"), ("\\u00", "02x"), ("\\x", "02x")):
        data = "".join(f"{percent}{one:{case}}" for one in plain).encode()
        made = f"''.join({percent!r} + format(one, {case!r}) for one in secret.encode()).encode()"
        yield Form(f"escaped by {percent}", data, made)
    for shift, first in ((0, 0), (1, 2), (2, 3)):  # wherever it lies in what was encoded
        data = base64.b64encode(b"." * shift + plain)[first:-4]
        made = f"base64.b64encode(b'.' * {shift} + secret.encode())[{first}:-4]"
        yield Form("in base64", data, made)
        if b"+" in data or b"/" in data:
            made = made.replace("b64encode", "urlsafe_b64encode")
            data = base64.urlsafe_b64encode(b"." * shift + plain)[first:-4]
            yield Form("in base64", data, made)


def _digests(secret: str) -> Iterator[Form]:
    for name in _DIGESTS:
        for encoding in ("utf-8", "utf-16-le"):
            raw = hashlib.new(name, secret.encode(encoding), usedforsecurity=False).digest()
            made = f"hashlib.{name}(secret.encode({encoding!r}))"
            words = f"as its {name} without a salt"
            yield Form(words, raw, f"{made}.digest()")
            yield Form(words, raw.hex().encode(), f"{made}.hexdigest().encode()")
            yield Form(words, raw.hex().upper().encode(), f"{made}.hexdigest().upper().encode()")
            for coder in ("b64encode", "urlsafe_b64encode"):
                data = getattr(base64, coder)(raw).rstrip(b"=")[:-1]
                yield Form(words, data, f"base64.{coder}({made}.digest()).rstrip(b'=')[:-1]")


def _packed(token: str) -> Iterator[Form]:
    """The bytes that a token spells, where it is written in hexadecimal or base64."""
    plain = token.replace("-", "")
    with suppress(ValueError):
        yield Form("as its bytes", bytes.fromhex(plain), "bytes.fromhex(secret.replace('-', ''))")
    padded = token + "=" * (-len(token) % 4)
    try:
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return
    made = "base64.urlsafe_b64decode(secret + '=' * (-len(secret) % 4))"
    yield Form("as its bytes", data, made)


def shown_in(data: bytes, wanted: Sequence[Form]) -> Form | None:
    """The first of the forms that the data holds."""
    return next((form for form in wanted if form.data in data), None)


def tells_equal(counts: Sequence[Counter[str]], passwords: Sequence[str]) -> str | None:
    """A value that stands for a password: it comes with each user of that password, and no other.

    ``counts`` are the stored values before any user was added, then after each; ``passwords`` are
    theirs, in that order. A value that any other thing made (a time, a flag, a number of users)
    does not come and stay away in the order of the passwords.
    """
    gained = [after - before for before, after in pairwise(counts)]
    for password in dict.fromkeys(passwords):
        with_it = [at for at, given in enumerate(passwords) if given == password]
        if len(with_it) < 2:
            continue
        shared = set.intersection(*(set(gained[at]) for at in with_it))
        others = set[str]().union(
            *(gained[at] for at in range(len(passwords)) if at not in with_it)
        )
        for value in sorted(shared - others):
            if len(value) >= VALUE_LEAST:
                return value
    return None
