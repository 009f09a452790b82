"""A chat portal: users, their tokens, conversations and messages, on SQLite or PostgreSQL."""
