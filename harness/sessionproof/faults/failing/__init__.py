"""System calls of a store that fail."""
