"""Is it the same? Layer by layer, until one is named."""
