"""What tests share: models, files, commands, comparisons, kernels."""
