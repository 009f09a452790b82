"""What a store raised, as an outcome, and where in the store."""

import pytest

from sessionproof.contract.frames import AT
from sessionproof.contract.location import Location
from sessionproof.contract.lookup import spec_of
from sessionproof.contract.operations import Read
from sessionproof.oracle.memory import MemoryStore
from sessionproof.workload.guard import CannotOpen, Handle
from sessionproof.workload.profiles import Deadlines


def test_a_failure_names_the_line_of_the_store(tmp_path):
    """Two failures are equal wherever in the store they come from."""

    class Store(MemoryStore):
        def read(self, session_id):
            if session_id == "one":
                raise KeyError("no")
            raise KeyError("no")

    handle = Handle(spec_of("odd", Store), Location(tmp_path), deadlines=Deadlines())
    one, other = (handle.invoke(Read("s0"), name) for name in ("one", "other"))
    handle.close()
    first = Store.read.__code__.co_firstlineno
    assert one.evidence[AT].endswith(f'test_workload_raised.py:{first + 2}: raise KeyError("no")')
    assert other.evidence[AT] != one.evidence[AT]
    assert other == one


def test_a_store_that_does_not_open_names_its_line(tmp_path):
    """As an exception, and as the outcome of what was to be done."""

    def refuses(location):
        raise OSError("no")

    with pytest.raises(CannotOpen) as caught:
        Handle(spec_of("odd", refuses), Location(tmp_path), deadlines=Deadlines())
    outcome = caught.value.outcome()
    assert (outcome.type, outcome.failure.type) == ("info", "CannotOpen")
    assert outcome.evidence[AT].endswith(': raise OSError("no")')
