"""A store in a process of its own: JSON-RPC 2.0, one message a line, over stdin and stdout.

``docs/protocol.md`` is the guide for stores in other languages, ``protocol.schema.json`` the
protocol itself. ``client`` is the harness's side, ``server`` the side of a store in Python.
"""
