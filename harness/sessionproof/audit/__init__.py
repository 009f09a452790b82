"""SQL audits of SQLite files: read-only, and without the store's help."""
