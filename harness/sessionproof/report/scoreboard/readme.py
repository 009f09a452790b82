"""The board in short as Markdown, for whoever looks at its folder in a repository."""

from __future__ import annotations

from sessionproof.report.markdown import plain
from sessionproof.report.scoreboard.board import Board, Entry, Standing

_IDS_MOST = 40
_HEADS = ("store", "version", "broken", "broken, not confirmed", "could not tell", "holds",
          "not claimed")  # fmt: skip
_LISTED = (Standing.BROKEN, Standing.UNCONFIRMED, Standing.UNKNOWN)
_COUNTED = (Standing.HOLDS, Standing.NOT_CLAIMED)

_READ = """\
Each store was judged by what every store of chats owes, and by what its own documents claim \
beyond that, in the version that is shown; what is not claimed is not held against it. They stand \
in the order of the alphabet, and there is no total.

- **broken**: a script without the harness showed it once more
- **broken, not confirmed**: seen in the run; no script showed it by itself
- **could not tell**: too little was examined, or it could not be; it never counts as holding
- **holds**: how many were examined with at least the least evidence, and not broken
- **not claimed**: how many its documents do not promise, or it has no such call"""


def render_readme(board: Board) -> str:
    """The page: a row for each store with what is broken, by id; nothing it said is markup."""
    facts = f"{board.day}, sessionproof {board.sessionproof}, profile {board.profile}, "
    part = "\n\n**This board is a part: its making was interrupted.**" if board.interrupted else ""
    rows = [
        f"| {' | '.join(_cells(entry))} |"
        for entry in sorted(board.entries, key=lambda entry: entry.name.casefold())
    ]
    table = "\n".join([f"| {' | '.join(_HEADS)} |", "|---" * len(_HEADS) + "|", *rows])
    return "\n\n".join(
        [
            "# Scoreboard of chat-session stores",
            f"{plain(facts)}seed {board.seed}.{part}",
            _READ,
            table,
            "The page `index.html` has the same by groups, each cell with its evidence; it needs "
            "no network. `scoreboard.json` and `data/` are for programs.",
        ]
    ) + "\n"  # fmt: skip


def _cells(entry: Entry) -> list[str]:
    name = f"[{plain(entry.name)}](stores/{entry.name}.html)"
    package = plain(" ".join(filter(None, (entry.package, entry.version))), 80)
    if not entry.rows:
        return [name, package, plain(f"{entry.state}: {entry.problem}", 300), "", "", "", ""]
    if entry.state != "judged":
        name = f"{name}: {entry.state}"
    listed = [_ids(entry, standing) for standing in _LISTED]
    return [name, package, *listed, *(str(len(entry.of(standing))) for standing in _COUNTED)]


def _ids(entry: Entry, standing: Standing) -> str:
    """How many stand so, and which."""
    rows = entry.of(standing)
    if not rows:
        return "0"
    more = f" and {len(rows) - _IDS_MOST} more" if len(rows) > _IDS_MOST else ""
    return f"{len(rows)}: {', '.join(plain(row.id) for row in rows[:_IDS_MOST])}{more}"
