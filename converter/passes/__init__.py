"""What exporters do, undone and done again: storage, fused activations."""
