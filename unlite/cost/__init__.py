"""What a model costs to run: measured in every runtime, interleaved, and judged."""
