"""The files of a store as they lie in a folder, taken and put elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Image:
    """All folders and files below a folder, by their paths below it."""

    folders: tuple[str, ...]
    files: dict[str, bytes]

    def put(self, folder: Path) -> Path:
        """Write all of it below a folder, which is made; private, as a store may look at that."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in self.folders:
            folder.joinpath(name).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in self.files.items():
            path = folder / name
            path.write_bytes(data)
            path.chmod(0o600)
        return folder


def taken(folder: Path) -> Image:
    """What lies below a folder now; what is no file and no folder is left out."""
    paths = sorted(folder.rglob("*"))
    return Image(
        folders=tuple(path.relative_to(folder).as_posix() for path in paths if path.is_dir()),
        files={
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in paths
            if path.is_file()
        },
    )
