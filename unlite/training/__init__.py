"""Training a detector's head on pictures: data, targets, losses, features that are computed once, evaluation, report."""
