"""The forms that an operator takes: in the file, as Keras layers, as nodes to be compared, on its way back."""

from converter.ops.forms.emission import Emission, UnknownLayer, emit
from converter.ops.forms.layer import Part, View, activation_parts, as_pair, biased, parts
from converter.ops.forms.node import Node, Shape, Slot, Value
from converter.ops.forms.operator import PAIRS, OpView, Step, Weight

__all__ = ["PAIRS", "Emission", "Node", "OpView", "Part", "Shape", "Slot", "Step", "UnknownLayer", "Value", "View"]
__all__ += ["Weight", "activation_parts", "as_pair", "biased", "emit", "parts"]
