"""Third-party stores, one file each; a file imports its library, so import it only for its store.

How to write one: ``docs/adapters.md``.
"""
