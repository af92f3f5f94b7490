"""The file format: bytes read, checked and decoded, and files taken apart to be changed."""
