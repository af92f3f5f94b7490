"""What pages of `docs/` with measured numbers are made of."""
