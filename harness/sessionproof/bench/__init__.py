"""Speed: rounds in which a store and its floors take turns, and what they say."""
