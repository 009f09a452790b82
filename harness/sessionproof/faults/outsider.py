"""Somebody else at the store's files: another process that locks databases and breaks tables."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Literal

_PROGRAM = Path(__file__).with_name("outsider_main.py")

_ANSWER_S = 30.0  # its statements wait for no lock for longer than 0.3 s

Manner = Literal["ABORT", "FAIL", "ROLLBACK"]
Hold = Literal["write", "writing", "read"]


class CannotMeddle(Exception):
    """The outsider could not do it: the store keeps the file locked, say."""


@dataclass(frozen=True, slots=True)
class Database:
    """An SQLite file below a location, and whether it has a write-ahead log."""

    path: Path
    wal: bool


class Outsider:
    """A process that opens the store's SQLite files, as a backup or another program would.

    It sees the store as a black box: databases are found by their headers, tables by the text of
    a message that lies in them. To be used in a ``with`` block, on absolute paths.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Outsider:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def databases(self, root: Path) -> list[Database]:
        """Every SQLite file below the directory."""
        found = self._ask("databases", root=str(root))
        return [Database(Path(one["path"]), bool(one["wal"])) for one in found]

    def poison(self, path: Path, *, token: str, text: str, manner: Manner) -> list[str]:
        """Let SQLite refuse each row with ``text`` in every table that holds ``token``.

        Answers the statements that do it, none where there is no such table. ``manner`` is what
        SQLite undoes: the statement, nothing of it, or the whole transaction.
        """
        made = self._ask("poison", path=str(path), token=token, text=text, manner=manner)
        return [str(sql) for sql in made]

    def refuse_beside(self, path: Path, *, token: str) -> list[list[str]]:
        """Statements that let no new row into a table, for each that has rows and not ``token``.

        They are carried out by ``run``.
        """
        made = self._ask("refuse_beside", path=str(path), token=token)
        return [[str(sql) for sql in statements] for statements in made]

    def run(self, path: Path, statements: Sequence[str]) -> None:
        """Carry these statements out."""
        self._ask("run", path=str(path), statements=[*statements])

    def mend(self, path: Path) -> None:
        """Undo ``poison``, and what ``refuse_beside`` answered."""
        self._ask("mend", path=str(path))

    def hold(self, paths: list[Path], how: Hold, *, for_s: float) -> int:
        """Lock these databases for so long, or until ``release``; answers how many are locked.

        ``writing`` is a write lock with something written, which is undone.
        """
        return int(self._ask("hold", paths=[*map(str, paths)], how=how, for_s=for_s))

    def release(self) -> bool:
        """Let the locks go; answers whether they were still held."""
        return bool(self._ask("release"))

    def _ask(self, do: str, **arguments: Any) -> Any:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("started with pipes")
        late = Timer(_ANSWER_S, self._process.kill)
        late.start()
        try:
            with suppress(BrokenPipeError):  # it ended: so do its answers
                self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            late.cancel()
        answer = json.loads(line or '{"error": "the outsider ended"}')
        if "error" in answer:
            raise CannotMeddle(answer["error"])
        return answer["ok"]
