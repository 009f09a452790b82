"""What an audit says: problems, each of a named kind, and notes; and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1
"""Of the JSON form: fields are added under the same number, never changed or removed."""

EXAMPLES_MAX = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of problem means for a user's chats, and what mends it."""

    means: str
    mends: str


KINDS: Mapping[str, Kind] = {
    "corrupt-file": Kind(
        "SQLite cannot read parts of the file: messages may be lost or changed",
        "restore a backup, or save what can be read into a new file: sessionproof "
        "recover for a store of ours, sqlite3 FILE .recover for any other",
    ),
    "changed-content": Kind(
        "messages are not what was written: a fault of the disk, or of a program that went around "
        "SQLite",
        "restore them from a backup",
    ),
    "damaged-index": Kind(
        "an index and its table disagree: messages are there, but some queries miss them",
        "REINDEX, after a backup",
    ),
    "broken-constraint": Kind(
        "rows hold values that the table's own rules forbid",
        "correct or delete the rows; foreign tools or switched-off checks wrote them",
    ),
    "orphan": Kind(
        "rows belong to something that is not there: no chat shows them, and they stay for ever",
        "look at them with the SQL; put back what they belong to, or move them elsewhere",
    ),
    "wrong-counter": Kind(
        "a kept count or total is not that of the messages: lists and limits show wrong numbers",
        "compute it from the messages again",
    ),
    "gap": Kind(
        "numbers are missing that the session still counts: messages were lost",
        "restore the messages from a backup; then compute the counters again",
    ),
    "number-beyond-next": Kind(
        "the next number was given already: the next message of the chat is refused, or a double",
        "set the next number above the highest that is there",
    ),
    "repeated-number": Kind(
        "messages of a session share a number: their order in the chat is not known",
        "number the later ones anew",
    ),
    "repeated-id": Kind(
        "rows share an id that should be unique: one of them is reached in the other's place",
        "compare them; delete the copy, or give it an id of its own",
    ),
    "null-key": Kind(
        "a key is NULL: the row cannot be reached, and NOT IN queries find nothing any more",
        "give the row its key, or delete it",
    ),
    "null-value": Kind(
        "what every row must hold is NULL: the message or session cannot be read",
        "fill it in from a backup, or delete the row",
    ),
    "bad-role": Kind(
        "messages have a role that nobody knows: they are shown wrongly, or refused by the model",
        "set the role to a known one",
    ),
    "bad-status": Kind(
        "a state that nobody knows: queries by state pass over the row",
        "set it to a known one",
    ),
    "bad-number": Kind(
        "numbers that are negative, fractional or text: sums, limits and order go wrong",
        "correct them; then compute the counters again",
    ),
    "invalid-json": Kind(
        "JSON that cannot be read: loading the row fails, often the whole chat with it",
        "correct the text, or restore it from a backup",
    ),
    "mixed-times": Kind(
        "one column has times of several forms: sorting and expiry by it go wrong",
        "write all of them in one form",
    ),
    "missing-table": Kind("a table of the schema is gone, and what was in it", "restore a backup"),
    "missing-column": Kind("a column of the schema is not there", "run the missed migration"),
    "altered-table": Kind(
        "a table lost rules of its schema: what they kept out can come in",
        "make the table anew from the schema and copy the rows",
    ),
    "missing-trigger": Kind(
        "a trigger of the schema is gone: what it kept right goes wrong with the next write",
        "create it again from the schema; then audit again",
    ),
    "altered-trigger": Kind(
        "a trigger does something else than in the schema: what it kept right may go wrong",
        "drop it and create it again from the schema; then audit again",
    ),
    "missing-index": Kind(
        "an index of the schema is gone: queries are slow, or doubles come in",
        "create it again from the schema",
    ),
    "altered-index": Kind(
        "an index is otherwise than in the schema: queries are slow, or doubles come in",
        "drop it and create it again from the schema",
    ),
    "altered-header": Kind(
        "the header does not name the schema: the store will not open the file",
        "set application_id and user_version to those of the schema",
    ),
}
"""Every kind of problem. A name is never used for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of damage in one place.

    ``count`` is a number of rows, of sessions for counters and gaps, of objects for schemas.
    ``examples`` are at most ``EXAMPLES_MAX`` keys or values, as text of the database: hostile.
    ``sql`` mends it, or shows all rows of it, where such a statement is known.
    """

    kind: str
    count: int
    what: str
    table: str | None = None
    column: str | None = None
    examples: tuple[str, ...] = ()
    sql: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All that an audit says of one file.

    ``schema`` and ``version`` are None when the schema is not known. ``unchecked`` says which
    checks were not possible here, as for want of a function that only the file's own program has.
    ``rows`` is how many rows each table holds. ``settings`` are values of the file's header by the
    names of their pragmas. ``read`` says how the file was read: in place, or as a copy.
    """

    file: str
    schema: str | None
    version: str | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    unchecked: tuple[str, ...]
    rows: Mapping[str, int]
    settings: Mapping[str, int | str]
    read: str

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and nothing was left out."""
        return not self.problems and not self.unchecked


def audit_to_json(audit: Audit) -> dict[str, Any]:
    """The audit as JSON values; ``docs/audit.md`` describes each field."""
    return {
        "schema_version": SCHEMA_VERSION,
        "file": audit.file,
        "schema": None
        if audit.schema is None
        else {"name": audit.schema, "version": audit.version},
        "ok": audit.ok,
        "problems": [
            {
                **asdict(problem),
                "examples": list(problem.examples),
                "means": KINDS[problem.kind].means,
                "mends": KINDS[problem.kind].mends,
            }
            for problem in audit.problems
        ],
        "notes": list(audit.notes),
        "unchecked": list(audit.unchecked),
        "rows": dict(audit.rows),
        "settings": dict(audit.settings),
        "read": audit.read,
    }
