"""A run's result, and its forms: JSON, terminal, HTML, JUnit."""
