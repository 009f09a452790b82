"""What is done to a store from outside: locks, refused rows, a full disk."""
