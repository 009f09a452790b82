"""What the store on PostgreSQL claims: as on SQLite, but for what the server settles otherwise."""

from __future__ import annotations

from dataclasses import replace

from sessionproof.contract.claims import Limits
from sessionproof.reference.claimed import CLAIMS as ON_SQLITE

CLAIMS = replace(
    ON_SQLITE,
    # PostgreSQL has checksums of its own pages, where the server was made with them.
    checksums=False,
    private_files=False,
    missing_folder=None,  # its data lies in no folder
    erases=False,  # its tables are not shown, so nothing would be examined
    limits=Limits(nul=False, surrogates=False),
    # Its costs are those of a server and of the way there, not multiples of raw SQLite.
    costs={},
)
