"""Session managers: what is given and kept of sessions, their lives, their clean-ups, their end."""
