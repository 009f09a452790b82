"""Files of JSON Lines: an object a line, and errors that name the line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sessionproof.contract.errors import Refused


@dataclass(frozen=True, slots=True)
class Line:
    """An object of a file, and where it stands."""

    path: Path
    number: int
    value: Mapping[str, Any]

    def refused(self, why: str) -> Refused:
        """The error for this line."""
        return Refused(f"{self.path}, line {self.number}: {why}")

    def only(self, key: str) -> Mapping[str, Any]:
        """The object below the key, which is the only one; raises ``Refused``."""
        value = self.value.get(key)
        if not isinstance(value, dict) or len(self.value) != 1:
            raise self.refused(f"{key!r} with an object was expected, and nothing beside it")
        return value


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of a file that are not blank; raises ``Refused``."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield Line(path, number, _object(text, path, number))
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is no UTF-8 ({error.reason}): is it a text file?") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from error


def _object(text: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Refused(f"{path}, line {number}: no JSON ({error})") from error
    except RecursionError:
        raise Refused(f"{path}, line {number}: nested too deeply") from None
    if not isinstance(value, dict):
        raise Refused(f"{path}, line {number}: no JSON object")
    return value
