"""A store whose module starts a thread."""

import threading

from fixtures.benign.together import LinesUnderLock

threading.Thread(target=threading.Event().wait, daemon=True).start()


class Store(LinesUnderLock):
    """As the other."""
