"""Upkeep that is due: what there is to do, when it was done, and that one process does it."""
