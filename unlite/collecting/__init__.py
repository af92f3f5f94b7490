"""Collecting pictures with a camera: what is kept, how it lies on disk, and the page."""
