"""The shipped adapters as fixtures; a store whose package is absent is skipped, with the remedy."""

import asyncio
import inspect
import warnings

import pytest

from sessionproof.contract.location import Location
from sessionproof.contract.lookup import MissingExtra, find_store
from sessionproof.contract.registered import registered

NAMES = [one.name for one in registered() if one.kind == "adapter"]


def installed(name):
    """The spec of the adapter, or a skip that says what to install."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a library says of itself when it is imported
            return find_store(name)
    except MissingExtra as error:
        pytest.skip(str(error))


@pytest.fixture(params=NAMES)
def spec(request):
    return installed(request.param)


@pytest.fixture
def found():
    """What finds a store by its name, or skips the test: for tests of one family."""
    return installed


@pytest.fixture
def openai_agents():
    return installed("openai-agents")


class Driven:
    """A handle whose every method is a coroutine, whatever the store's are."""

    def __init__(self, handle):
        self.handle = handle

    def __getattr__(self, name):
        async def call(*given, **named):
            answer = getattr(self.handle, name)(*given, **named)
            return await answer if inspect.isawaitable(answer) else answer

        return call

    async def begin(self, session_id):
        """Make the session where the store wants that."""
        if hasattr(self.handle, "create"):
            return await self.create(session_id)
        return session_id


@pytest.fixture
def drive(tmp_path):
    """Run ``body(*handles)`` on as many handles of one location as it takes, then close them."""

    def run(spec, body, folder=tmp_path):
        async def main():
            count = len(inspect.signature(body).parameters)
            handles = [Driven(spec.open(Location(folder))) for _ in range(count)]
            try:
                return await body(*handles)
            finally:
                for handle in handles:
                    await handle.close()

        return asyncio.run(main())

    return run
