"""Training a detector on pictures: data, targets, losses, features computed once, evaluation, report."""
