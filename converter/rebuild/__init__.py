"""Blueprint → `keras.Model`, and models to and from disk."""
