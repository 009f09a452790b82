"""The shipped suites: one pytest file for each group of guarantees."""
