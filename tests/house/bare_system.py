"""A Python without what Windows has not: ``python bare_system.py MODULE…`` imports modules there.

``sessionproof.*`` stands for all modules of a package. It prints what could not be imported, a
line each. Modules of others are imported before, as they have ways of their own on Windows. It
stands in for a machine that is not here, and shows no more than that an import asks for nothing
that is missing there.
"""

import asyncio
import concurrent.futures.process
import importlib
import multiprocessing.reduction
import os
import pkgutil
import select
import signal
import socket
import sys
import time

PYTHONS = (asyncio, concurrent.futures.process, multiprocessing.reduction)
OTHERS = "click execnet faker hypothesis jinja2 numpy pytest rich.live rich.progress xdist.plugin"
EXTRAS = "alembic.command argon2 psycopg psycopg_pool sqlalchemy.orm"
LACKING = {
    os: (
        "fork forkpty register_at_fork sched_getaffinity sched_setaffinity posix_fallocate pread "
        "pidfd_open waitid killpg setsid getuid geteuid getgid getpgid sysconf uname statvfs chown "
        "mkfifo sync fdatasync O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_DIRECTORY WNOHANG set_blocking"
    ),
    signal: (
        "SIGKILL SIGXFSZ SIGPIPE SIGCHLD SIGALRM SIGHUP SIGSTOP SIGCONT SIGUSR1 SIGUSR2 SIGQUIT "
        "setitimer pthread_sigmask"
    ),
    select: "poll epoll POLLIN POLLOUT POLLHUP POLLERR POLLNVAL POLLPRI",
    socket: "AF_UNIX recv_fds send_fds SCM_RIGHTS CMSG_LEN",
    time: "tzset",
}
MODULES = "fcntl resource pwd grp termios pty tty syslog"


def lose(others):
    """Take away what is not there, once these modules have been imported."""
    for name in others:
        importlib.import_module(name)
    for owner, names in LACKING.items():
        for name in names.split():
            if hasattr(owner, name):
                delattr(owner, name)
    for name in MODULES.split():
        sys.modules[name] = None
    sys.platform = "win32"


def modules_of(package):
    """The names of all its modules, but for adapters, which import others', and what others run."""
    path = importlib.import_module(package).__path__
    for one in pkgutil.walk_packages(path, f"{package}.", lambda _: None):
        if ".adapters." not in one.name and not one.name.endswith((".__main__", ".env")):
            yield one.name


def main(asked):
    """Import what is asked for."""
    whole = [name.removesuffix(".*") for name in asked if name.endswith(".*")]
    lose([*OTHERS.split(), *(EXTRAS.split() if whole else ())])
    names = [name for name in asked if not name.endswith(".*")]
    for name in [*names, *(one for package in whole for one in modules_of(package))]:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - all are told
            sys.stdout.write(f"{name}: {type(error).__name__}: {error}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
