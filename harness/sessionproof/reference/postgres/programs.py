"""PostgreSQL's own programs: where they lie, of which version they are, and running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from sessionproof.contract.errors import Refused

_PACKAGED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")  # Debian, Red Hat
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SAYS_ERROR = re.compile(r"(?:error|fatal): (.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Client:
    """The programs that write and read dumps, and the major version of both."""

    dump: Path
    restore: Path
    version: int


def folders(program: str) -> Iterator[Path]:
    """Where PostgreSQL's programs may lie: where PATH leads to, then the newest packages."""
    found = shutil.which(program)
    if found:
        yield Path(found).resolve().parent
    if config := shutil.which("pg_config"):
        asked = subprocess.run(
            [config, "--bindir"], capture_output=True, encoding="utf-8", check=False
        )
        if asked.returncode == 0:
            yield Path(asked.stdout.strip())
    for pattern in _PACKAGED:
        yield from sorted(
            Path("/").glob(pattern.removeprefix("/")),
            key=lambda folder: _number(folder.parent.name),
            reverse=True,
        )
    if found:
        yield Path(found).parent  # Debian has a script in the place of all: it costs a moment


def client(least: int) -> Client:
    """The programs for a server of this major version, which are not older; raises ``Refused``."""
    newest = 0
    for folder in folders("pg_dump"):
        dump, restore = folder / "pg_dump", folder / "pg_restore"
        if not all(os.access(one, os.X_OK) for one in (dump, restore)):
            continue
        version = _version(dump)
        if version >= least:
            return Client(dump, restore, version)
        newest = max(newest, version)
    remedy = f"install PostgreSQL's client programs {least} (Debian: apt install postgresql-client)"
    if newest:
        raise Refused(f"pg_dump {newest} is older than the server, which is {least}: {remedy}")
    raise Refused(f"pg_dump and pg_restore are not installed here: {remedy}")


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    """Run a program to its end; raises ``Refused`` with what it said. Its output is not wanted."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=_environment(environment), check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Refused(_said(command, done.stderr, done.returncode))


@contextmanager
def output_of(command: Sequence[str | Path]) -> Iterator[IO[bytes]]:
    """What a program prints, while it runs; raises ``Refused`` at the end where it failed.

    What it said is told rather than what reading its output came to, which it may have cut.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            bufsize=1 << 20, env=_environment(None),
        )  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout
            while process.stdout.read(1 << 20):
                pass
        except Refused:
            process.stdout.close()
            if process.wait() > 0:
                errors.seek(0)
                raise Refused(_said(command, errors.read(), process.returncode)) from None
            raise
        except BaseException:
            process.kill()
            process.stdout.close()
            process.wait()
            raise
        process.stdout.close()
        if process.wait() != 0:
            errors.seek(0)
            raise Refused(_said(command, errors.read(), process.returncode))


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", **(more or {})}


def _said(command: Sequence[str | Path], errors: bytes, status: int) -> str:
    """The first error that a program told, in a line."""
    lines = errors.decode("utf-8", "replace").splitlines()
    told = [match[1] for line in lines if (match := _SAYS_ERROR.search(line))]
    why = (told or lines[-1:] or [f"it ended with status {status}"])[0]
    return f"{Path(command[0]).name}: {' '.join(why.split())}"


@cache
def _version(program: Path) -> int:
    asked = subprocess.run(
        [program, "--version"], capture_output=True, encoding="utf-8", check=False
    )
    return int(_number(asked.stdout)) if asked.returncode == 0 else 0


def _number(text: str) -> float:
    found = _NUMBER.search(text)
    return float(found[0]) if found else 0.0
