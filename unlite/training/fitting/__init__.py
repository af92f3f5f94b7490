"""Training on what lessons hold."""
