"""Tests of `unlite.detection`."""
