"""Sessions spread over several servers: where each belongs, and how it gets there."""
