"""The chat sessions of a small product."""
