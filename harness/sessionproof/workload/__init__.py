"""What is done to a store: conversations, programs, the guard that runs them."""
