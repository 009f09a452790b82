"""Python as on macOS, as far as it can be had on Linux: first on the import path of a process.

What macOS has not is taken away once the modules of Python are loaded that ask for it.
"""

import asyncio
import concurrent.futures.process
import ctypes.util
import fcntl
import multiprocessing.util
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request

PYTHONS = (
    asyncio, concurrent.futures.process, ctypes.util, multiprocessing.util, platform, shutil,
    subprocess, tempfile, urllib.request,
)  # fmt: skip
LACKING = {
    os: (
        "sched_getaffinity sched_setaffinity posix_fallocate posix_fadvise pidfd_open waitid "
        "fdatasync memfd_create eventfd O_DIRECT splice copy_file_range getrandom pipe2 setresuid"
    ),
    select: "epoll",
    fcntl: "F_OFD_SETLK F_OFD_GETLK F_OFD_SETLKW F_ADD_SEALS",
    signal: "SIGPOLL SIGSTKFLT SIGRTMIN sigwaitinfo sigtimedwait pidfd_send_signal",
}

sysconfig.get_config_vars()  # it is kept, and its file is named by the system
for owner, names in LACKING.items():
    for name in names.split():
        if hasattr(owner, name):
            delattr(owner, name)
sys.platform = "darwin"
