"""Users, their names, their tokens and what is theirs: one experiment a module."""
