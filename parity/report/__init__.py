"""Comparisons for people: text and HTML."""
