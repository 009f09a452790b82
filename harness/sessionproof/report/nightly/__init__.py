"""Nights of judging: their data, the seeds that are worth another look, what they say, the page."""
