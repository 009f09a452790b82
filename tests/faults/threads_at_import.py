"""A store whose import leaves a thread that never ends."""

import threading

from recorded_stores import Lines as Store

__all__ = ["Store"]

threading.Thread(target=threading.Event().wait).start()
