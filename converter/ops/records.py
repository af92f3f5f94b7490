"""One record per operator: what TFLite and Keras call it, and how each form becomes the others.

Whatever has to be known of an operator is a column here and a value in the record, which stands at the end of its
family's file; matching, auditing, writing, counting, changing and judging read the tables that come of it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.ops import forms
    from converter.tflite.model import Tensor


def _like_the_first(_: Mapping[str, Any], shapes: "Sequence[forms.Shape]") -> "Sequence[forms.Shape]":
    return shapes[:1]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of TFLite, builtin or custom.

    Attributes:
        name: As the schema or the custom op has it.
        lower: The Keras layers that it is, as a chain; None: it cannot be read.
        options: The schema's table of its settings; empty: it has none.
        multiply_adds: Operands and result → how many; None: it has no inner products.
        results: How many it has.
        takes_activation: Whether its kernels, float and int8, can apply an activation to their result.
        fused_as: Keras's name of the function that it is, where kernels of other operators can apply it.
        states_size: Whether it has an operand that says which size its result has.
        one_way: Why it is not read, or not written; empty: it is both.
    """

    name: str
    lower: "Callable[[forms.OpView], list[forms.Step]] | None" = None
    options: str = ""
    multiply_adds: "Callable[[Sequence[Tensor], Tensor], int] | None" = None
    takes_activation: bool = False
    fused_as: str = ""
    results: int = 1
    states_size: bool = False
    one_way: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One class of Keras's layers or of ours, or an operation of `keras.ops`.

    Attributes:
        name: Of the class.
        parts: The nodes that it is; none if it only hands on what it gets. Default: one of the class's own name with
            the layer's settings.
        weights: Its attributes with weights, where `parts` does not say.
        takes_activation: Whether it has an argument `activation`, which becomes a node of its own.
        initializers: Weight → the argument that initializes it, where it is not called `WEIGHT_initializer`.
        shapes: Its settings and the shapes of its operands → those of its results, all without the batch; default: one
            result, like the first operand. ValueError where it cannot take them. Extents may be None.
        exported_as: Last parts of the tensor names that exporters give to its operation.
        any_size: Whether it does the same on a picture of any size.
        per_channel: Whether it hands channels on one by one.
        states_size: Whether its settings `height` and `width` say which size its result has.
        in_head: Whether it may stand between the last convolution of a detector's head and the output: it moves
            logits, or has one weight for each.
    """

    name: str
    parts: "Callable[[forms.View], list[forms.Part]] | None" = None
    weights: tuple[str, ...] = ()
    takes_activation: bool = False
    initializers: Mapping[str, str] = field(default_factory=dict)
    shapes: "Callable[[Mapping[str, Any], Sequence[forms.Shape]], Sequence[forms.Shape]]" = _like_the_first
    exported_as: tuple[str, ...] = ()
    any_size: bool = False
    per_channel: bool = False
    states_size: bool = False
    in_head: bool = False

    @property
    def automatic_name(self) -> str:
        """What Keras calls a layer of this class that is given no name, but for the number."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", self.name).lower()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of node: what operators and layers of the same meaning are compared as.

    Attributes:
        name: E.g. `conv`; for layers of ours the class name.
        emit: Adds the operators that compute a node; None: it cannot be written.
        terms: How many numbers it adds up for each result, from the node and the shapes of its operands; default: 1.
        family: What kinds have in common that a slip of the pen exchanges; default: the name.
        is_commutative: Whether its operands may come in any order.
        scaled_axes: Axes of the kernel, in Keras's order, that a batch normalization behind it scales; empty: none
            can be folded into it.
    """

    name: str
    emit: "Callable[[forms.Emission], None] | None" = None
    terms: "Callable[[forms.Node, Sequence[forms.Shape]], int] | None" = None
    family: str = ""
    is_commutative: bool = False
    scaled_axes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What belongs together."""

    kind: Kind | None
    operators: tuple[Operator, ...]
    layers: tuple[Layer, ...]


RECORDS: list[Record] = []
OPERATORS: dict[str, Operator] = {}
LAYERS: dict[str, Layer] = {}
KINDS: dict[str, Kind] = {}


def record(of: Kind | None, *entries: Operator | Layer) -> None:
    """Enter a kind of node with the operators and the layers that are of it.

    Raises:
        ValueError: A name has been entered before.
    """
    operators = tuple(entry for entry in entries if isinstance(entry, Operator))
    layers = tuple(entry for entry in entries if isinstance(entry, Layer))
    _enter(OPERATORS, operators)
    _enter(LAYERS, layers)
    _enter(KINDS, (of,) if of else ())
    RECORDS.append(Record(of, operators, layers))


def _enter(table: dict[str, Any], entries: Iterable[Operator | Layer | Kind]) -> None:
    for entry in entries:
        if entry.name in table:
            raise ValueError(f"{entry.name} is entered twice")
        table[entry.name] = entry


def operator(name: str) -> Operator:
    """What is known of an operator of TFLite: nothing, of one without a record."""
    return OPERATORS.get(name) or Operator(name)


def layer(name: str) -> Layer:
    """What is known of a class of layers: nothing, of one without a record."""
    return LAYERS.get(name) or Layer(name)


def kind(name: str) -> Kind:
    """What is known of a kind of node: nothing, of one without a record."""
    return KINDS.get(name) or Kind(name)
