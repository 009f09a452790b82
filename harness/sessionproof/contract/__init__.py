"""What a store is, in words that every other room uses. Standard library only."""
