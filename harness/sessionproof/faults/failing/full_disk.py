"""A full disk without any listener: files of this process can neither grow nor change."""

from __future__ import annotations

import signal
from pathlib import Path
from types import TracebackType

from sessionproof.contract.lookup import StoreSpec
from sessionproof.faults.failing.listening import Met, Rule

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


class FullDisk:
    """Stands in for ``Injector`` where calls cannot be listened to: each rule is a full disk.

    Writing fails with EFBIG, which stands for ENOSPC, in all of this process; permissions would not
    bind root. ``met`` knows no calls, and so not whether any failed. To be used in a ``with``
    block, at whose end there is space again.
    """

    def __init__(self, spec: StoreSpec) -> None:
        self.spec = spec
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.heal()

    @staticmethod
    def fits(spec: StoreSpec) -> bool:
        """Whether it can be had: the store runs here, and no signal would end the process."""
        if resource is None:
            return False
        ignored = signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN  # as Python has it
        return ignored and not spec.name.startswith("cmd:")

    def watch(self, _root: Path, rule: Rule | None = None) -> None:
        """Let the disk be full, if there is a rule."""
        if rule is not None:
            self.fill()

    def fill(self) -> None:
        """Let the disk be full."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limits[1]))

    def heal(self) -> None:
        """Let there be space again."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    def met(self) -> Met:
        """Nothing is known of calls."""
        return Met()
