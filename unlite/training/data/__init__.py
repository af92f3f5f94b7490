"""Pictures with labels, as people have them."""
