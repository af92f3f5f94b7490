"""Models that are known by name: where they come from, and a cache of them."""

from converter.zoo.models import cache_folder, fetch, find, known

__all__ = ["cache_folder", "fetch", "find", "known"]
