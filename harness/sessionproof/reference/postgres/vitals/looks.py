"""One look at the server: what it answers, or why it cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg import errors

from sessionproof.contract.errors import StoreError
from sessionproof.reference.postgres.failures import one_line
from sessionproof.reference.postgres.pool import Connection
from sessionproof.reference.vitals.report import Vital

Look = Callable[[], "Vital | Iterable[Vital]"]


def looked(name: str, look: Look) -> tuple[Vital, ...]:
    """What a look answers; unknown where this role may not see it, or it cannot be told."""
    try:
        found = look()
        return (found,) if isinstance(found, Vital) else tuple(found)
    except errors.InsufficientPrivilege as error:
        return (Vital(name, "unknown", f"this role may not see it: {one_line(error)}"),)
    except (StoreError, psycopg.Error) as error:
        return (Vital(name, "unknown", f"could not be looked at: {one_line(error)}"),)


def row_of(db: Connection, query: str, values: tuple[object, ...] = ()) -> tuple[Any, ...]:
    """The one row of a statement."""
    row = db.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return row
