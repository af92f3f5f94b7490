"""Tests of the installed wheel, which import nothing of the checkout: `tox -e wheel`."""
