"""The session manager: names for sessions, facts of them, and lives that end by themselves."""
