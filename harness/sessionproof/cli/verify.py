"""``sessionproof verify``: whether a store of the reference is in order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionproof.cli.places import (
    place_of,
    schema_option,
    show_verified,
    verified,
    verified_to_json,
    where,
)

if TYPE_CHECKING:
    from sessionproof.reference.postgres.place import Place


@click.command()
@click.argument("path", type=where)
@schema_option
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, for programs.")
def verify(path: Path | str, *, schema: str | None, as_json: bool) -> None:
    """Look at everything in PATH, a directory with sessions.db or such a file, without changing it.

    Or in postgresql://…, a schema on a server.

    Structure, references, counters, numbers, values, and the digests of messages and sessions.
    Exit codes: 0 all is in order, 1 problems were found, 2 refused, 130 interrupted.
    """
    from sessionproof.audit.result import audit_to_json
    from sessionproof.cli.audit import print_audit
    from sessionproof.cli.upkeep import Progress, carried_out
    from sessionproof.reference.verify import examined_file

    found_in: list[Place] = []

    def work(progress: Progress) -> Any:
        place = place_of(path, schema)
        if place is None:
            return examined_file(path, progress=progress)
        found_in.append(place)
        progress(f"all rows of {place}")
        return verified(place)

    code = carried_out(
        work,
        as_json=as_json,
        to_json=lambda found: (
            verified_to_json(found_in[0], found) if found_in else audit_to_json(found)
        ),
        show=lambda found, console: (
            show_verified(found_in[0], found, console) if found_in else print_audit(found, console)
        ),
        code=lambda found: 0 if found.ok else 1,
        interrupted="nothing was changed",
    )
    click.get_current_context().exit(code)
