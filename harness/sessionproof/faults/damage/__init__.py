"""Damage done to the files of a store, as data: classes of it, and the places where it is done."""
