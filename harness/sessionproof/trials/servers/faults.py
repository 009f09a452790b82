"""The rows of servers: one that is killed as a whole, and connections that are cut."""

from __future__ import annotations

from sessionproof.trials.servers.enduring import Told, endure
from sessionproof.trials.servers.private import opened_on, private_server
from sessionproof.trials.servers.troubles import CutConnections, KilledServer
from sessionproof.trials.single import Trial

_KILLS = (3, 60)  # least and most of a trial
_CUTS = (20, 500)
_KILLED = Told(
    "all processes of their server were killed by SIGKILL while they worked, and it was started "
    "again",
    "kills",
)
_CUT = Told(
    "their connections were cut, also between a change that was carried out and its answer",
    "cuts",
)


def killed(trial: Trial) -> None:
    """The server is killed under load and restarted; raises Broken, NotClaimed, CouldNotTell."""
    least, most = _KILLS
    with private_server(trial) as server, opened_on(trial, server.url) as there:
        trouble = KilledServer(server, trial.seed)
        endure(there, trouble, _KILLED, least=min(most, max(least, trial.profile.kills // 6)))


def cut(trial: Trial) -> None:
    """Connections are cut under load; raises Broken, NotClaimed, CouldNotTell."""
    least, most = _CUTS
    with private_server(trial) as server:
        trouble = CutConnections(server, trial.seed)
        through = server.url_through(trouble.proxy.folder)
        with trouble.proxy, opened_on(trial, through) as there:
            endure(there, trouble, _CUT, least=min(most, max(least, trial.profile.kills)))
