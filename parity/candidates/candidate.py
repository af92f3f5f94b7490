"""What can be compared with the original: something with a network, and a way to run it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from converter.errors import BadCandidate
from converter.match.network import Network
from converter.ops.forms import Slot, Value
from parity.runners.runtimes import Array

# The inputs of one run, and its feeds: see `Candidate.run`.
Given = tuple[Sequence[Array], Mapping[Value, Array]]


class Candidate(Protocol):
    """A model to be compared."""

    name: str
    network: Network
    can_isolate: bool
    has_named_outputs: bool

    def weight(self, slot: Slot) -> Array | None:
        """A weight in Keras's axis order; None where it is not known."""
        ...

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """Run it.

        Args:
            inputs: One array per input, in the candidate's order.
            feeds: Values that later layers read instead of what the candidate computes itself; with one for every
                value, each layer runs alone.

        Returns:
            Value of the network → what the candidate computed; without those that cannot be observed.
        """
        ...

    def outputs(self, inputs: Sequence[Array], made: Mapping[Value, Array]) -> Sequence[Array | None]:
        """What the model as a whole returns, in its own order; `made` is what `run` gave for these inputs."""
        ...


def run_all(candidate: Candidate, given: Sequence[Given]) -> list[Mapping[Value, Array]]:
    """What a candidate's `run` gives for each, with the candidate's own `run_all` where it can do several at once.

    Args:
        candidate: What to run.
        given: Inputs and feeds of each run.
    """
    at_once = getattr(candidate, "run_all", None)
    made: list[Mapping[Value, Array]] = at_once(given) if at_once else [candidate.run(*each) for each in given]
    return made


def check_fit(
    inputs: Sequence[Array], network: Network, hint: str = "build the candidate for the original's input size"
) -> None:
    """Check that the original's inputs fit a candidate.

    Raises:
        BadCandidate: Their number or shape is another.
    """
    if len(inputs) != len(network.inputs):
        raise BadCandidate(f"the candidate takes {len(network.inputs)} inputs, the original {len(inputs)}")
    for given, end in zip(inputs, network.inputs, strict=True):
        if given.shape[1:] != end.shape:
            raise BadCandidate(
                f"input {end.name!r} of the candidate has shape {end.shape}, the original's {given.shape[1:]}", hint
            )
