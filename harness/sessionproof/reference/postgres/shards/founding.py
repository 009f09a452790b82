"""How servers become one store: each gets a name, and the layout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sessionproof.contract.addresses import shown
from sessionproof.contract.errors import Refused
from sessionproof.reference.postgres.shards.at_once import at_once
from sessionproof.reference.postgres.shards.layout import (
    Layout,
    first_layout,
    read,
    require_empty,
    write,
)

if TYPE_CHECKING:
    from sessionproof.reference.postgres.store import PostgresStore


def founded(stores: Sequence[PostgresStore]) -> tuple[dict[str, PostgresStore], Layout]:
    """The servers by their names, which are given where they are new; raises ``Refused``.

    Several may found the store at once: who writes on the first of its servers decides.
    """
    known = _known(stores)
    if not any(known):
        _found(stores)
        known = _known(stores)
    newest = max((one[1] for one in known if one), key=lambda one: one.epoch)
    by_name: dict[str, PostgresStore] = {}
    for store, one in zip(stores, known, strict=True):
        name = _joined(store, newest) if one is None else one[0]
        if name in by_name or (one is not None and one[1].store != newest.store):
            others = " and ".join(store.where for store in stores)
            raise Refused(f"{others} are servers of different stores: name those of one")
        by_name[name] = store
    return by_name, newest


def _known(stores: Sequence[PostgresStore]) -> list[tuple[str, Layout] | None]:
    answers = at_once({str(at): partial(store._read, read) for at, store in enumerate(stores)})
    return list(answers.values())


def _found(stores: Sequence[PostgresStore]) -> None:
    """Write the first layout on the server that all founders take for the first."""
    layout = first_layout([store.url for store in stores])
    if len(stores) > 1:
        for store in stores:
            store._read(partial(require_empty, where=store.where))
    first = min(stores, key=lambda store: shown(store.url))
    name = str(_name_of(first, layout))
    first._write(lambda db: write(db, name, layout, wanted=lambda epoch: epoch == 0))


def _joined(store: PostgresStore, layout: Layout) -> str:
    """The name of a server that has no layout yet, by its address; it gets the layout."""
    name = _name_of(store, layout)
    if name is None:
        raise Refused(
            f"{store.where} is no server of this store, which is on "
            f"{', '.join(layout.addresses.values())}: add it with sessionproof shards add"
        )
    store._write(lambda db: write(db, name, layout, wanted=lambda epoch: epoch < layout.epoch))
    return name


def _name_of(store: PostgresStore, layout: Layout) -> str | None:
    url = shown(store.url)
    return next((name for name, one in layout.addresses.items() if one == url), None)
