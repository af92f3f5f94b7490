"""Tests of `unlite.training.data.coco`."""
