"""Many stores side by side: the data, what it says in words, its pages and badges."""
