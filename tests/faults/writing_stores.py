"""Stores that make system calls of all sorts, for tests of failing ones."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message


class Plain:
    """Each append adds lines to a file and syncs it; nothing is known beside the file."""

    claims = Claims(durability="process")

    def __init__(self, location):
        self.path = location.path("lines")

    def append(self, session_id, messages):
        """Write the texts in one call."""
        data = "".join(f"{one.content}\n" for one in messages).encode()
        self._add(data)

    def _add(self, data):
        with self.path.open("ab", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())

    def read(self, session_id):
        """All lines."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [Message("user", line) for line in lines]

    def close(self):
        """Nothing is open."""


class FromAThread(Plain):
    """A thread of its own writes."""

    def _add(self, data):
        wrong = []

        def add():
            try:
                super(FromAThread, self)._add(data)
            except OSError as error:
                wrong.append(error)

        thread = threading.Thread(target=add)
        thread.start()
        thread.join()
        if wrong:
            raise wrong[0]


class FromAChild(Plain):
    """A program that it starts writes."""

    def _add(self, data):
        code = "import sys; open(sys.argv[1], 'ab', 0).write(bytes.fromhex(sys.argv[2]))"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, self.path, data.hex()],
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode:
            raise OSError("the child could not write")


class InManyWays(Plain):
    """Names by descriptors of folders, relative names, lists of buffers, other offsets."""

    def _add(self, data):
        os.chdir(self.path.parent)
        folder = os.open(".", os.O_RDONLY)
        try:
            os.mkdir("deep", dir_fd=folder)
            file = os.open("deep/new", os.O_RDWR | os.O_CREAT, dir_fd=folder)
            os.writev(file, [data, data])
            os.pwrite(file, data, 1)
            with self.path.open("wb+", buffering=0) as copy:
                os.copy_file_range(file, copy.fileno(), len(data), 0, 1)
            os.ftruncate(file, 3)
            os.fdatasync(file)
            os.close(file)
            os.rename("deep/new", "newer", src_dir_fd=folder, dst_dir_fd=folder)
            os.link("newer", "newest")
            os.symlink("newest", "current", dir_fd=folder)
            os.unlink("newer", dir_fd=folder)
            Path("deep").rmdir()
        finally:
            os.close(folder)


class Stubborn(Plain):
    """Tries again and again."""

    def _add(self, data):
        while True:
            try:
                return super()._add(data)
            except OSError:
                pass


class Dies(Plain):
    """An error ends the process."""

    def _add(self, data):
        try:
            super()._add(data)
        except OSError:
            os._exit(3)


class Printing(Plain):
    """Says where it is, and who it is, on stderr."""

    def _add(self, data):
        status = Path("/proc/self/status").read_text().splitlines()
        rights = next(line for line in status if line.startswith("CapEff"))
        sys.stderr.write(f"{Path.cwd()} {os.environ['HOME']}\n{rights}\n")
