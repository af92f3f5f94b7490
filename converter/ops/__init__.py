"""Every operator that is known: one record each, in its family's file.

To add one: write its record and its row of cases in `tests/converter/ops/cases.py`.
"""

from converter.ops import (  # noqa: F401 - each enters its records
    activations,
    arithmetic,
    convolution,
    dense,
    mediapipe,
    pooling,
    resizing,
    shaping,
    transposed,
)
from converter.ops.records import KINDS, LAYERS, OPERATORS, RECORDS

__all__ = ["KINDS", "LAYERS", "OPERATORS", "RECORDS"]
