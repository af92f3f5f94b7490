"""Models changed: other classes, inputs, activations."""
