"""The forms that an operator takes: in the file, as Keras layers, as nodes to be compared, on its way back."""

from converter.ops.forms.emission import Emission, UnknownLayer, emit
from converter.ops.forms.layer import Part, View, activation_parts, as_pair, biased, parts
from converter.ops.forms.node import Node, Shape, Slot, Value
from converter.ops.forms.operator import PAIRS, OpView
from converter.ops.forms.padding import Pair, cropped_in_front
from converter.ops.forms.steps import Step, Weight

__all__ = ["Emission", "Node", "OpView", "Pair", "Part", "Shape", "Slot", "Step", "UnknownLayer", "Value", "View"]
__all__ += ["PAIRS", "Weight", "activation_parts", "as_pair", "biased", "cropped_in_front", "emit", "parts"]
