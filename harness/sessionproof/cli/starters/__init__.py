"""What ``sessionproof new-adapter`` writes: whole adapters, to be changed line by line."""
