"""System calls that change files, by machine, and the filter that shows them to a listener.

Linux alone. The filter (seccomp, "user notification") stops a process at each of these calls until
a listener has said whether the call is to be made or to fail. It needs no rights and no ptrace, is
inherited by forks and programs that are started, and cannot be taken off again.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Sort(StrEnum):
    """What a call does: bytes, sizes, syncs, names that are made, changed or removed."""

    WRITE = "write"
    SIZE = "size"
    SYNC = "sync"
    MAKE = "make"
    RENAME = "rename"
    REMOVE = "remove"


@dataclass(frozen=True)
class Call:
    """A system call. ``names`` says by which arguments it names files, from ``first`` on.

    ``fd``: the first is a descriptor. ``path``: the first is a path, ``paths``: the second is, too.
    ``at``: the first is a folder, the second a path in it; ``ats``: two more are such a pair.
    ``flags`` is the argument whose bit O_CREAT makes it a change, -1 where every call is one.
    """

    name: str
    sort: Sort
    names: Literal["fd", "path", "paths", "at", "ats"]
    x86_64: int | None
    aarch64: int | None
    flags: int = -1
    first: int = 0


_CALLS = (
    Call("write", Sort.WRITE, "fd", 1, 64),
    Call("pwrite64", Sort.WRITE, "fd", 18, 68),
    Call("writev", Sort.WRITE, "fd", 20, 66),
    Call("pwritev", Sort.WRITE, "fd", 296, 70),
    Call("pwritev2", Sort.WRITE, "fd", 328, 287),
    Call("sendfile", Sort.WRITE, "fd", 40, 71),
    Call("copy_file_range", Sort.WRITE, "fd", 326, 285, first=2),
    Call("splice", Sort.WRITE, "fd", 275, 76, first=2),
    Call("fsync", Sort.SYNC, "fd", 74, 82),
    Call("fdatasync", Sort.SYNC, "fd", 75, 83),
    Call("ftruncate", Sort.SIZE, "fd", 77, 46),
    Call("truncate", Sort.SIZE, "path", 76, 45),
    Call("fallocate", Sort.SIZE, "fd", 285, 47),
    Call("rename", Sort.RENAME, "paths", 82, None),
    Call("renameat", Sort.RENAME, "ats", 264, 38),
    Call("renameat2", Sort.RENAME, "ats", 316, 276),
    Call("link", Sort.MAKE, "paths", 86, None),
    Call("linkat", Sort.MAKE, "ats", 265, 37),
    Call("symlink", Sort.MAKE, "path", 88, None, first=1),
    Call("symlinkat", Sort.MAKE, "at", 266, 36, first=1),
    Call("mkdir", Sort.MAKE, "path", 83, None),
    Call("mkdirat", Sort.MAKE, "at", 258, 34),
    Call("creat", Sort.MAKE, "path", 85, None),
    Call("open", Sort.MAKE, "path", 2, None, flags=1),
    Call("openat", Sort.MAKE, "at", 257, 56, flags=2),
    Call("unlink", Sort.REMOVE, "path", 87, None),
    Call("unlinkat", Sort.REMOVE, "at", 263, 35),
    Call("rmdir", Sort.REMOVE, "path", 84, None),
)

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_NO_NEW_PRIVS = 38
_MODE_FILTER, _NEW_LISTENER = 1, 8
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16


def numbers() -> Mapping[int, Call]:
    """The calls by their numbers on this machine; empty where they are not known."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHITECTURES or sys.maxsize < 2**32:
        return MappingProxyType({})
    found = {getattr(call, machine): call for call in _CALLS}
    return MappingProxyType({number: call for number, call in found.items() if number is not None})


def trap() -> int:
    """Have all these calls of this thread, and of all that it starts, wait for a listener.

    Answers the listener's descriptor, to be handed to another process at once. Raises OSError.
    """
    program = _program(numbers())
    code = ctypes.create_string_buffer(program)
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise _error()
    number = _SECCOMP[platform.machine()]
    listener = libc.syscall(number, _MODE_FILTER, _NEW_LISTENER, ctypes.create_string_buffer(head))
    if listener < 0:
        raise _error()
    return int(listener)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _program(calls: Mapping[int, Call]) -> bytes:
    """The filter in the kernel's bytecode: a block for each call, that ends or falls through."""
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[platform.machine()]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    for number, call in calls.items():
        if call.flags < 0:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _NOTIFY)]
            continue
        lines += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * call.flags),
            (_ANY_BIT, 0, 1, os.O_CREAT),
            (_RETURN, 0, 0, _NOTIFY),
            (_RETURN, 0, 0, _ALLOW),
        ]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)
