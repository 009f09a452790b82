"""``sessionproof verify``: whether a database of the reference store is in order."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, for programs.")
def verify(path: Path, *, as_json: bool) -> None:
    """Look at everything in PATH, a directory with sessions.db or such a file, without changing it.

    Structure, references, counters, numbers, values, and the digests of messages and sessions.
    Exit codes: 0 all is in order, 1 problems were found, 2 refused, 130 interrupted.
    """
    from sessionproof.audit.result import audit_to_json
    from sessionproof.cli.audit import print_audit
    from sessionproof.cli.upkeep import carried_out
    from sessionproof.reference.verify import examined_file

    code = carried_out(
        lambda progress: examined_file(path, progress=progress),
        as_json=as_json,
        to_json=audit_to_json,
        show=print_audit,
        code=lambda found: 0 if found.ok else 1,
        interrupted="the file is as it was",
    )
    click.get_current_context().exit(code)
