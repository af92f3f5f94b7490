"""What can be compared with the original: something with a network, and a way to run it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from converter.match.network import Network
from converter.ops.node import Ref
from parity.runners.types import Array


class Candidate(Protocol):
    """A model to be compared."""

    name: str
    network: Network
    can_isolate: bool
    has_named_outputs: bool

    def run(self, inputs: Sequence[Array], feeds: Mapping[Ref, Array]) -> Mapping[Ref, Array]:
        """Run it.

        Args:
            inputs: One array per input, in the candidate's order.
            feeds: Values that later layers read instead of what the candidate computes itself; with one for every
                value, each layer runs alone.

        Returns:
            Value of the network → what the candidate computed; without those that cannot be observed.
        """
        ...

    def outputs(self, inputs: Sequence[Array], made: Mapping[Ref, Array]) -> Sequence[Array | None]:
        """What the model as a whole returns, in its own order; `made` is what `run` gave for these inputs."""
        ...

    def value_of(self, layer: str) -> Ref:
        """The value that a layer computes, also where it is folded into another step."""
        ...
