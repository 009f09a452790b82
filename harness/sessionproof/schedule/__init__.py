"""Controlled interleavings of clients on a store: explored, replayed, and made small."""
