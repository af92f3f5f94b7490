"""Sets of hands drawn by code."""
