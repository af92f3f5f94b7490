"""COCO JSON, read and written."""
