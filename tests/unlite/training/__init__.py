"""Tests of `unlite.training`."""
