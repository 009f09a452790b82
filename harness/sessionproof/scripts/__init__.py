"""What went wrong as lines of Python that show it without the harness."""
