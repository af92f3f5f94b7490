"""Every operator that can be converted: one function each, from an `OpView` to the Keras layers it stands for.

To add one: write its function in the file where it belongs, and its case in `tests/converter/ops/cases.py`.
"""

from converter.ops import convolution, elementwise, mediapipe, pooling, resizing, shaping
from converter.ops.registry import OPS
from converter.ops.view import OpView

__all__ = ["OPS", "OpView", "convolution", "elementwise", "mediapipe", "pooling", "resizing", "shaping"]
