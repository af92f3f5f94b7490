"""What a tensor's error may be: the model's own kernel spread, what roundings grow to, what float32 alone explains."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, sqrt

from converter.match.alignment.signatures import has_kernel
from converter.match.network import Network
from converter.ops import records
from converter.ops.forms import Node, Shape, Value
from parity.outputs.compare import CEILING, RELATIVE, SPREADS

# `RELATIVE` is 16 roundings of the largest value. A sum of n numbers, one after the other, is off by about the
# square root of n roundings: more than 16 for means over whole pictures and for wide kernels. LiteRT's kernel sets
# may take a similar order there, so that their spread does not show it (selfie_segmentation_landscape: a mean over
# 9,216 pixels, the two 1.4e-7 of the range apart, 1.8e-6 off a float64 sum).
TERMS = 16**2
# Where the numbers of a sum are equal (a mean over what a ReLU6 has cut off), roundings do not cancel: they grow with
# their number, until the square root is more. Squeeze-and-excite networks with means over 100 to 200 numbers: up to
# 2.4e-6 of the range in 7 of 12.
EQUAL_TERMS, EQUAL_FACTOR = 64, 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the error of one value may be.

    Attributes:
        own: The layer's own.
        chained: The whole network's up to here; no less than `own`.
    """

    own: float
    chained: float


def terms(node: Node, shapes: Mapping[Value, Shape]) -> int:
    """How many numbers a node adds up for each result."""
    count = records.kind(node.kind).terms
    return count(node, [shapes.get(value, ()) for value in node.inputs]) if count else 1


def limits(
    network: Network,
    spans: Mapping[Value, float],
    spreads: Mapping[Value, float],
    sensitivities: Mapping[Value, float],
) -> dict[Value, Limits]:
    """What the errors of every traced value may be.

    What a layer may be off by, as a share of its range, the layers behind it may be off by as well: the kernel
    spread of one tensor is one sample of a random quantity, and small by chance where both kernel sets meet again. How
    far roundings of the input move a tensor is another sample of what a whole network makes of roundings; it counts up
    to where anything might pass. A layer's own error gets none of it.

    Args:
        network: The original's.
        spans: Extent of each value's numbers.
        spreads: Largest difference between LiteRT's kernel sets.
        sensitivities: Largest difference that roundings of the input make.
    """
    inherited: dict[Value, float] = {}
    roundings: dict[Value, float] = {}  # of one layer after the other: independent, so that their squares add up
    # What a model puts in front of its first layer stands beside the input itself.
    found = {
        end.value: Limits(RELATIVE * spans[end.value], RELATIVE * spans[end.value])
        for end in network.inputs
        if end.value in spans
    }
    for node in network.nodes:
        before = max((inherited.get(value, 0.0) for value in node.inputs), default=0.0)
        count = terms(node, network.shapes)
        systematic = 0.0 if has_kernel(node) else min(count / EQUAL_TERMS, EQUAL_FACTOR)
        rounding = RELATIVE * max(1.0, sqrt(count / TERMS), systematic)
        for value in node.outputs:
            span = spans.get(value, 0.0)
            own = max(SPREADS * spreads.get(value, 0.0), rounding * span)
            inherited[value] = max(before, own / span if span else 0.0)
            roundings[value] = hypot(
                rounding, max((roundings.get(operand, 0.0) for operand in node.inputs), default=0.0)
            )
            if value in spreads:
                moved = min(SPREADS * sensitivities[value], CEILING * span)
                found[value] = Limits(own, max(inherited[value] * span, roundings[value] * span, moved))
    return found
