"""Speed, measured with pytest-benchmark: `tox -e bench`."""
