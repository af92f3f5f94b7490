"""How two networks are laid side by side: signatures, evidence, the pairing, and what is left between the pairs."""
