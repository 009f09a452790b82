"""The sessionproof that is running as a wheel, so that another environment has this very one.

It is made of the files that are imported here, also where they lie in a source tree, and of the
metadata of the installation. No build tool and no network is needed.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sessionproof.contract.extras import OURS
from sessionproof.engine.plan import BadUsage

_PACKAGES = (OURS, "sessionproof_suites")
_KEPT = ("METADATA", "entry_points.txt", "licenses/LICENSE")
_WHEEL = "Wheel-Version: 1.0\nGenerator: sessionproof\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def packed(folder: Path) -> Path:
    """Write the wheel into an existing folder; its path. The same files give the same bytes.

    Raises BadUsage where sessionproof is not installed.
    """
    try:
        installed = importlib.metadata.distribution(OURS)
    except importlib.metadata.PackageNotFoundError:
        raise BadUsage(
            f"--isolated needs an installed {OURS}, to install it elsewhere: pip install ."
        ) from None
    name = f"{OURS}-{installed.version}"
    info = f"{name}.dist-info"
    wheel = folder / f"{name}-py3-none-any.whl"
    part = wheel.with_suffix(".part")  # another command may be installing what lies there
    lines = []
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in (*_code(), *_metadata(installed, info)):
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
            lines.append(_recorded(path, data))
        record = f"{info}/RECORD"
        archive.writestr(zipfile.ZipInfo(record), "".join([*lines, f"{record},,\n"]))
    part.replace(wheel)
    return wheel


def _code() -> Iterator[tuple[str, bytes]]:
    """Every file of our packages, with its path in the wheel."""
    for package in _PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            raise BadUsage(f"the package {package} is not installed here: pip install .")
        root = Path(found.submodule_search_locations[0])
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(root).as_posix()}", path.read_bytes()


def _metadata(installed: importlib.metadata.Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    """What tools read of a distribution."""
    for name in _KEPT:
        text = installed.read_text(name)
        if text is not None:
            yield f"{info}/{name}", text.encode("utf-8")
    yield f"{info}/WHEEL", _WHEEL.encode("ascii")


def _recorded(path: str, data: bytes) -> str:
    """The line of a file in RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
    return f"{path},sha256={digest},{len(data)}\n"
