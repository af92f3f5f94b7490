"""What is to be learned from each picture, and what a frozen body says of it."""
