"""How a schema is described to the audit: data alone. The descriptions are in ``known/``.

What a description names and a file lacks is passed over by the checks of rows: that it is missing
is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows of ``table`` whose ``columns`` must be the ``keys`` of a row of ``parent``.

    A row with a NULL among the columns refers to nothing.
    """

    table: str
    columns: tuple[str, ...]
    parent: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What the rows of a table must be like.

    ``label`` names a row for people. ``required`` columns are never NULL. ``unique`` are sets of
    columns that no two rows share; rows with a NULL among them are passed over. ``words`` are the
    values that a column may have beside NULL. ``integers`` and ``reals`` have a least value.
    ``json`` columns hold JSON text, or a BLOB of it; with keys, an object that has them.
    """

    label: tuple[str, ...]
    columns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    integers: Mapping[str, int] = field(default_factory=dict)
    reals: Mapping[str, float] = field(default_factory=dict)
    json: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    times: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """How sessions count and number their messages.

    ``counters`` maps a column of the sessions to the column of the messages that it adds up, or to
    None when it counts rows. ``number`` is the messages' column of sequence numbers, from
    ``first``; ``next`` the sessions' column of the number that comes next.
    """

    table: str
    key: str
    messages: str
    message_key: str
    counters: Mapping[str, str | None] = field(default_factory=dict)
    count: str | None = None
    number: str | None = None
    first: int = 1
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A schema that the audit knows.

    ``marks`` are columns by which a table is recognised: one marked table is enough. ``sql`` names
    the package's files that make the schema, one step a file; without it, tables are compared by
    their columns alone, because other releases of a library write their SQL otherwise. ``strict``
    says that the store refuses a file that lacks any of its objects.
    """

    name: str
    marks: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Table]
    version: str | None = None
    references: tuple[Reference, ...] = ()
    sessions: Sessions | None = None
    sql: tuple[str, ...] = ()
    strict: bool = False
    application_id: int | None = None
