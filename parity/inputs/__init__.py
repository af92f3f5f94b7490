"""What models are run on: random numbers, or arrays from a file."""
