"""How a session manager was opened; and when an access has to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sessionproof.reference.timeouts import LONGEST_US, Timeouts

MINUTE_US = 60_000_000
TIMEOUT_US = 30 * MINUTE_US
CLEANUP_US = 10 * MINUTE_US
STEPS = 30
"""An access is written once in this part of the timeout, if nothing else is said."""

BACK_US = MINUTE_US
"""As ``lifetime.LATER`` has it: what is this much earlier was written by a clock set back."""

Digest: TypeAlias = Literal["md5", "sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a manager; ValueError for what cannot be.

    A session is kept with a limit of timeout and step together. So the accesses within a step of
    one that was written need not be written: it lives at least ``timeout_us`` after each of them.
    """

    timeout_us: int = TIMEOUT_US
    access_step_us: int | None = None
    cleanup_interval_us: int | None = CLEANUP_US
    digest: Digest = "md5"
    share_by_first_message: bool = False

    def __post_init__(self) -> None:
        if self.digest not in ("md5", "sha256"):
            raise ValueError(f"digest must be md5 or sha256; got {self.digest!r}")
        _whole("timeout_us", self.timeout_us, least=1)
        if self.access_step_us is None:
            object.__setattr__(self, "access_step_us", self.timeout_us // STEPS)
        _whole("access_step_us", self.access_step_us)
        if self.cleanup_interval_us is not None:
            _whole("cleanup_interval_us", self.cleanup_interval_us, least=1)

    @property
    def step_us(self) -> int:
        """How seldom accesses are written; 0 writes each."""
        return self.access_step_us or 0

    @property
    def kept_us(self) -> int:
        """The idle limit that a session is kept with."""
        return min(self.timeout_us + self.step_us, LONGEST_US)

    def limits(self) -> Timeouts:
        """The limits of new sessions."""
        return Timeouts(idle_us=self.kept_us, hard_us=None, warn_us=None)


def _whole(name: str, value: object, *, least: int = 0) -> None:
    if type(value) is not int or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}")
