"""How good a model is on labelled pictures, and the page that shows it."""
