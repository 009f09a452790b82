"""What must hold: pure functions from transcripts to faults."""
