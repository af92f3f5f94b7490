"""Tests of `parity.detection`."""
