"""The page's server, for one machine."""
