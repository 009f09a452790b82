"""Speed over time: the archive of runs, the gates that judge them, and the trend."""
