"""System calls of a store, and what they did to its files: a recording."""
