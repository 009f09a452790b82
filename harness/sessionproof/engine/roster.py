"""Which stores a scoreboard is about: each with a name, the words that run it, what it needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sessionproof.contract.addresses import is_on_server
from sessionproof.contract.extras import OURS, requirements_of, versions
from sessionproof.contract.registered import registered
from sessionproof.engine.plan import BadUsage
from sessionproof.faults.servers.binaries import find_binaries, missing

Kind = Literal["third-party", "ours", "other"]

_POSTGRES = "postgres"
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,59})=(.+)", re.DOTALL)
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_MOST = 60


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A store to be judged. ``name`` is its row's, and its files'; letters, digits, ``.``, ``-``.

    ``words`` stand behind ``sessionproof run``. ``package`` is the distribution that has the store,
    empty where that is not known. ``extras`` are those of sessionproof that it needs.
    ``kind`` is third-party for the adapters that are shipped and for stores that other
    distributions register, ours for our own, other for what was named by its place.
    Those that are ``shipped`` come with sessionproof, and can have an environment of their own.
    """

    name: str
    words: tuple[str, ...]
    kind: Kind = "other"
    package: str = ""
    extras: tuple[str, ...] = ()
    shipped: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """The distributions that it needs beside sessionproof."""
        found = (name for extra in self.extras for name in requirements_of(extra))
        return tuple(dict.fromkeys(found))


_OUR_OWN = (
    Asked(name="reference", words=("reference",)),
    Asked(name="reference-postgres", words=("reference", "--on", _POSTGRES), extras=(_POSTGRES,)),
    Asked(name="session-manager", words=("session-manager",)),
    Asked(name="portal", words=("portal",), extras=("portal",)),
    Asked(
        name="portal-postgres",
        words=("portal", "--on", _POSTGRES),
        extras=("portal", _POSTGRES),
    ),
)


def known_stores() -> dict[str, Asked]:
    """All that can be asked for by a name alone, in the order of the alphabet."""
    found = {one.name: replace(one, kind="ours", package=OURS, shipped=True) for one in _OUR_OWN}
    for one in registered():
        if one.kind == "scheme" or one.name in found:
            continue
        shipped = one.kind == "adapter"
        found[one.name] = Asked(
            name=_name_of(one.name),
            words=(one.name,),
            kind="ours" if one.kind == "own" else "third-party",
            package=one.package,
            extras=(one.name,) if shipped else (),
            shipped=shipped,
        )
    return dict(sorted(found.items()))


def every_store(*, isolated: bool) -> tuple[list[Asked], list[str]]:
    """All known stores that can be judged here, and a sentence for each that is left out."""
    chosen, left_out = [], []
    for one in known_stores().values():
        reason = _lacking(one, isolated=isolated)
        if reason:
            left_out.append(f"{one.name} is left out: {reason}")
        else:
            chosen.append(one)
    return chosen, left_out


def named_stores(given: Iterable[str]) -> list[Asked]:
    """The stores that were named, as ``NAME``, ``STORE`` or ``NAME=STORE``; raises BadUsage."""
    known = known_stores()
    return [_named(text, known) for text in given]


def check_names(stores: Sequence[Asked]) -> None:
    """Raise BadUsage where two rows would have one name; a file system may not know case."""
    seen: dict[str, Asked] = {}
    for one in stores:
        other = seen.setdefault(one.name.casefold(), one)
        if other is not one:
            again = shlex.quote(f"{one.name}-2={shlex.join(one.words)}")
            raise BadUsage(f"two stores are called {one.name}: name one otherwise, as {again}")


def _named(text: str, known: dict[str, Asked]) -> Asked:
    found = _NAMED.fullmatch(text)
    name, store = (found[1], found[2]) if found else (None, text)
    if is_on_server(store):
        raise BadUsage(
            "an address is not put on a scoreboard: name reference-postgres or portal-postgres, "
            "which run on servers of their own"
        )
    if store in known:
        return replace(known[store], name=name or store)
    if ":" not in store:
        raise BadUsage(
            f"no store is called {store!r}: use a known name ({', '.join(known)}), module:attr "
            "or cmd:COMMAND"
        )
    return Asked(name=name or _name_of(store), words=(store,))


def _name_of(store: str) -> str:
    """A name that can be a file's, made of a store's own."""
    plain = _NO_NAME.sub("-", store).strip("-.")[:_NAME_MOST].rstrip("-.")
    return plain or "store"


def _lacking(one: Asked, *, isolated: bool) -> str:
    """Why a store cannot be judged here; empty where it can."""
    if _POSTGRES in one.extras and find_binaries() is None:
        return missing()
    if isolated and one.shipped:
        return ""
    absent = [name for name, version in versions(one.packages).items() if version is None]
    if absent:
        extras = ",".join(one.extras)
        return f"it needs {', '.join(absent)}: pip install 'sessionproof[{extras}]', or --isolated"
    return ""
