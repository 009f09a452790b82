"""Passwords and tokens looked for in all that a store keeps and prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sessionproof.checks.secrets import Form, Sort, forms, shown_in, tells_equal
from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import shown_text
from sessionproof.contract.seed import derive
from sessionproof.host.client import HostedStore
from sessionproof.trials.reopening import in_another_process
from sessionproof.trials.single import CouldNotTell, Trial
from sessionproof.trials.users.accounts import is_found, require
from sessionproof.trials.users.stored import servers_of, stored_bytes, stored_values
from sessionproof.workload.guard import Handle
from sessionproof.workload.users_asked import ask

_USERS = ("ada", "ben", "eve", "kim", "lea", "zoe")
# Whose password is whose. No counting of users up to two or three comes round as "shared" does.
_EQUAL = ("shared", "own 1", "shared", "shared", "own 2", "shared")
_WHO, _OWN = _USERS[4], _EQUAL[4]  # who signs in, and with what
_TIMES = 2


_STORED = [
    "store.close()  # so that all is in the files",
    "stored = b''.join(one.read_bytes() for one in directory.rglob('*') if one.is_file())",
    "store = open_store(location)",
]


@dataclass
class _Secrets:
    """What was given to a store or made by it: label to the sort and the text."""

    trial: Trial
    known: dict[str, tuple[Sort, str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def password(self, label: str) -> str:
        """The password of this label: letters and digits that stand nowhere else."""
        text = (
            f"Pw{derive(self.trial.seed, label, 1):016x}{derive(self.trial.seed, label, 2):016x}q"
        )
        self.known[f"the password {label!r}"] = ("password", text)
        return text

    def forms(self) -> Mapping[str, list[Form]]:
        """The forms of each by its label."""
        return {label: forms(text, sort) for label, (sort, text) in self.known.items()}


def nothing_in_clear(trial: Trial) -> None:
    """SEC-04: files, tables, prints and errors hold nothing that lets anybody in; raises Broken.

    Raises CouldNotTell where a server's tables cannot be looked into, or nothing is found.
    """
    require(trial, "add_user", "sign_in")
    trial.store.fresh_location()
    secrets = _Secrets(trial)
    equal = _added(secrets)
    added = [*secrets.lines]
    _at_work(secrets, trial.handle())
    _look(secrets, "while the store was open", closes=False)
    trial.store.close()
    _look(secrets, "after the store was closed", closes=True)
    _require_salted(trial, equal, added)
    _printed(secrets)


def _added(secrets: _Secrets) -> str | None:
    """Users are added, some with equal passwords; a stored value that tells so, if there is one."""
    trial = secrets.trial
    handle, location = trial.handle(), trial.store.location
    servers = servers_of(trial.store.spec.name, location)
    counts: list[Counter[str]] = [stored_values(location, servers)]
    for name, label in zip(_USERS, _EQUAL, strict=True):
        _add(secrets, handle, name, label)
        counts.append(stored_values(location, servers))
    return tells_equal(counts, _EQUAL)


def _require_salted(trial: Trial, value: str | None, added: Sequence[str]) -> None:
    """That no stored value stands for a password; raises Broken."""
    trial.require(
        value is None,
        Anomaly.IN_CLEAR,
        did=f"added {len(_USERS)} users, {_EQUAL.count('shared')} of them with one password",
        expected="no stored value tells that passwords are equal: each has a salt of its own",
        seen=f"{shown_text(value or '', 60)} stands with each of them, and with no other user",
        program=added,
        script=() if value is None else _equal_script(added, value),
    )
    trial.count("attempts", len(_USERS))


def _equal_script(added: Sequence[str], value: str) -> list[str]:
    """Lines that find the value again: it hangs on the password alone, so it is known."""
    with suppress(ValueError):  # bytes are told in hexadecimal
        bytes.fromhex(value)
        return [
            *added, *_STORED, f"value = {value!r}",
            "assert value.encode() not in stored, value",
            "assert bytes.fromhex(value) not in stored, value",
        ]  # fmt: skip
    return [*added, *_STORED, f"assert {value!r}.encode() not in stored, 'one value for all'"]


def _add(secrets: _Secrets, handle: Handle, name: str, label: str) -> str:
    trial, password = secrets.trial, secrets.password(label)
    line = f"{name} = store.add_user('{name}@example.org', {password!r})"
    outcome = ask(handle, "add_user", f"{name}@example.org", password)
    trial.require_ok(outcome, f"added the user {name}", [*secrets.lines, line])
    secrets.lines.append(line)
    return str(outcome.value)


def _at_work(secrets: _Secrets, handle: Handle) -> None:
    """A user signs in, in and out, and gives a wrong password; raises Broken."""
    trial = secrets.trial
    name, own = f"{_WHO}@example.org", secrets.password(_OWN)
    tokens = []
    for number in range(_TIMES):
        line = f"t{number} = store.sign_in({name!r}, {own!r})"
        made = ask(handle, "sign_in", name, own)
        trial.require_ok(made, "signed in with a password that is right", [*secrets.lines, line])
        secrets.lines.append(line)
        tokens.append(str(made.value))
        secrets.known[f"the token t{number}"] = ("token", tokens[-1])
    ask(handle, "whose", tokens[1])
    secrets.lines.append("store.whose(t1)")
    if "sign_out" in trial.capabilities:
        ended = ask(handle, "sign_out", tokens[0])
        secrets.lines.append("store.sign_out(t0)")
        if ended.type == "ok":  # it lets nobody in: a list of such tokens may name it
            del secrets.known["the token t0"]
    wrong = secrets.password("that was wrong")
    ask(handle, "sign_in", name, wrong)
    secrets.lines += ["with suppress(Exception):", f"    store.sign_in({name!r}, {wrong!r})"]


def _look(secrets: _Secrets, when: str, *, closes: bool) -> None:
    """Every secret in every form, in all that is stored; raises Broken."""
    trial = secrets.trial
    location = trial.store.location
    stored = stored_bytes(location, servers_of(trial.store.spec.name, location))
    if not any(stored.values()) and trial.claims.at_least("durability", "process"):
        raise CouldNotTell("what it keeps lies neither in files of its location nor on a server")
    for label, wanted in secrets.forms().items():
        for place, data in stored.items():
            form = shown_in(data, wanted)
            _require_unseen(secrets, label, form, f"{place} {when}", closes=closes)
        trial.count("attempts")


def _require_unseen(
    secrets: _Secrets, label: str, form: Form | None, where: str, *, closes: bool
) -> None:
    secrets.trial.require(
        form is None,
        Anomaly.IN_CLEAR,
        did="added users, signed in and out, and gave a wrong password; then looked at what is "
        "stored",
        expected=f"{label} is in nothing that is stored, in no form that can be used",
        seen="" if form is None else f"{label} is in {where}, {form.words}",
        program=[*secrets.lines, "# then a look at all that is stored"],
        script=() if form is None else _clear_script(secrets, label, form, closes=closes),
    )


def _clear_script(secrets: _Secrets, label: str, form: Form, *, closes: bool) -> Sequence[str]:
    sort, text = secrets.known[label]
    given = label.rpartition(" ")[2] if sort == "token" else repr(text)
    return [
        *secrets.lines,
        *(_STORED if closes else _STORED[1:2]),
        f"secret = {given}",
        f"assert {form.expression} not in stored, 'the {sort} is stored {form.words}'",
    ]


def _printed(secrets: _Secrets) -> None:
    """The same in a process of its own, all of whose output is heard; raises Broken."""
    trial, store = secrets.trial, secrets.trial.store
    if not is_found(trial):
        trial.notes.append("what the store prints was not heard: it is not found by its name")
        return
    store.fresh_location()
    handle = in_another_process(store.spec, store.location, store.deadlines)
    heard = _Secrets(trial)
    _add(heard, handle, _WHO, _OWN)
    _at_work(heard, handle)
    hosted = handle.lend("its output", lambda hosted, _: hosted).value
    handle.close()
    said = hosted.stderr_tail() if isinstance(hosted, HostedStore) else ""
    for label, (sort, text) in heard.known.items():
        form = shown_in(said.encode(), forms(text, sort))
        trial.require(
            form is None,
            Anomaly.IN_CLEAR,
            did="added a user, signed in and out, and gave a wrong password, in a process of its "
            "own; then looked at what it printed",
            expected=f"{label} is not printed",
            seen="" if form is None else f"{label} was printed {form.words}",
            program=[*heard.lines, "# then a look at what was printed"],
            script=_printed_script(heard, text) if sort == "password" else (),
        )
        trial.count("attempts")


def _printed_script(heard: _Secrets, text: str) -> list[str]:
    """Lines that hear what is printed by this process."""
    return [
        "heard = io.StringIO()",
        "with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):",
        *(f"    {line}" for line in heard.lines),
        f"assert {text!r} not in heard.getvalue(), 'a password was printed'",
    ]
