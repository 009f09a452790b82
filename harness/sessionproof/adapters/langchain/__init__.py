"""LangChain's chat message histories: on an SQLite file, and as JSON files."""
