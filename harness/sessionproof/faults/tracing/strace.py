"""The tracer: whether strace is here and allowed, and how it is called."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_WAIT_S = 20.0  # for a program that ends at once; only a tracer that hangs takes longer
_TEXT_BYTES = 32 * 1024 * 1024  # the longest single write that is seen whole
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")

# What changes files or their names, what sets an offset, and what makes descriptors.
CALLS = (
    "open", "openat", "openat2", "creat", "dup", "dup2", "dup3", "fcntl",
    "lseek", "write", "writev", "pwrite64", "pwritev", "pwritev2",
    "truncate", "ftruncate", "fallocate", "copy_file_range", "sendfile", "splice",
    "fsync", "fdatasync", "sync", "syncfs",
    "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
    "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir",
    "mmap", "io_uring_setup", "chdir", "fchdir", "clone", "clone3", "fork", "vfork", "execve",
)  # fmt: skip
# What moves offsets without a word of where to, and whose descriptors these are. A program that
# starts does little else, so this costs most of the time of a trace, and few stores need it.
READS = ("read", "readv", "close", "close_range", "ioctl")
# Its writes are no calls, so it is not there, as in many containers: programs then write otherwise.
_REFUSED = "io_uring_setup"
# Their numbers are enough: what is read is not wanted, and would be most of the trace.
_BARE = ("read", "readv", "close", "close_range")


def why_not() -> str | None:
    """Why system calls cannot be traced here, and what helps, in one line; None if they can."""
    if not sys.platform.startswith("linux"):
        return f"tracing system calls needs Linux, this is {sys.platform}: run it in a container"
    found = shutil.which("strace")
    if found is None:
        return "strace is not installed: install the package strace (apt-get install strace)"
    return _tried(found)[0]


def command(trace: Path, *, calls: Sequence[str] = CALLS) -> list[str]:
    """What is to stand before a command so that its calls, and its children's, go to this file.

    Raises OSError where there is no strace; ask ``why_not`` before.
    """
    found = shutil.which("strace")
    if found is None:
        raise FileNotFoundError(2, "there is no program on the PATH", "strace")
    return [found, *_tried(found)[1], *_options(trace, calls)]


def reason_of(words: str) -> str:
    """The line that tells a user why strace failed, and what helps, by its own last words."""
    lines = [line for line in words.splitlines() if line.strip()] or ["it said nothing"]
    refused = [line for line in lines if "ermission denied" in line or "not permitted" in line]
    said = (refused or lines)[0].rpartition("strace: ")[2][:200]
    if refused:
        return f"ptrace is refused here ({said}): {_remedy()}"
    return f"strace failed ({said}): see whether `strace -f true` works here"


def _remedy() -> str:
    try:
        scope = int(_YAMA.read_text("ascii"))
    except (OSError, ValueError):
        scope = 0
    if scope >= 2:
        return f"lower {_YAMA} (sysctl kernel.yama.ptrace_scope=1), or run as root"
    return "in a container, start it with --cap-add=SYS_PTRACE; do not run it under another tracer"


def _options(trace: Path, calls: Sequence[str]) -> list[str]:
    return [
        "-f", "-y", "-xx", "-qq", "-s", str(_TEXT_BYTES), "-e", "signal=none",
        "-e", f"trace={','.join('?' + call for call in calls)}", "-o", str(trace),
        "-e", f"inject=?{_REFUSED}:error=ENOSYS",
        *(("-e", f"raw={','.join(_BARE)}") if {*_BARE} <= {*calls} else ()),
    ]  # fmt: skip


@cache
def _tried(found: str) -> tuple[str | None, tuple[str, ...]]:
    """Why this strace cannot be used, and the options that it takes beside the usual ones.

    With a filter in the kernel (``--seccomp-bpf``) only what is listed costs time.
    """
    words = ""
    for more in (("--seccomp-bpf",), ()):
        try:
            ended = subprocess.run(
                [
                    found,
                    *more,
                    *_options(Path("/dev/null"), (*CALLS, *READS)),
                    sys.executable,
                    "--version",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_WAIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"strace did not end within {_WAIT_S:g} s: see whether `strace true` works", ()
        except OSError as error:
            return f"strace cannot be started ({error.strerror}): install it anew", ()
        words = ended.stderr.decode("utf-8", "replace")
        if ended.returncode == 0 and "strace:" not in words:
            return None, more
    return reason_of(words), ()
