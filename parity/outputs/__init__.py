"""Is it the same? The outputs alone."""
