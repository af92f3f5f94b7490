"""Tests of `unlite.training.data`."""
