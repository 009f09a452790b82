"""One file for each version; none is changed once it is released."""
