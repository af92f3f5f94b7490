"""A model cut in two at what trains: a body that is frozen, and a head that is trained on what the body gives.

The body runs once for each picture, in LiteRT; what it gives is kept, and the head trains on that. The same holds
for any choice of what trains: with the last layers alone the head is small, with every layer it is the model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from converter.errors import BadHead
from converter.match.trace import Call, keras_network
from converter.surgery.rewire import Rewiring
from parity.runners.runtimes import Run
from unlite.training.lessons.source import litert_runner


@dataclass(frozen=True)
class Parts:
    """A model in two parts that share its layers: what is trained in the head is trained in the model.

    Attributes:
        model: All of it: a copy of what was cut, of which it shares nothing.
        body: Inputs → what the head takes, then those of the model's outputs that do not depend on what trains; None
            where everything trains.
        head: What the body gives → the outputs that depend on what trains.
        taken: How many of the body's results the head takes.
        trained: Places of the head's results among the model's outputs.
    """

    model: Any
    body: Any
    head: Any
    taken: int
    trained: tuple[int, ...]

    @cached_property
    def run_body(self) -> Callable[[], Run]:
        """Makes a runner of the body, one for each thread; without a body, the head takes the input itself."""
        if self.body is None:
            return lambda: list
        return litert_runner(self.body)


def cut(model: Any) -> Parts:
    """Cut a model at what trains: see `trainable` of its layers.

    Args:
        model: A `keras.Model` with one input. It is not changed.

    Raises:
        BadHead: Nothing of it trains.
        CannotChange: A layer cannot be built once more.
    """
    import keras

    traced = keras_network(model)
    rewiring = Rewiring(traced)
    rewiring.run(lambda *_: None)
    reached: set[Any] = set()
    later: list[Call] = []
    for call in traced.calls:
        if getattr(call.layer, "trainable_weights", ()) or reached.intersection(call.inputs):
            later.append(call)
            reached.update(call.outputs)
    if not later:
        raise BadHead(f"nothing in {model.name} trains", hint="set `trainable` of the layers that shall")
    returned = keras.tree.flatten(traced.returned)
    taken = list(dict.fromkeys(x for call in later for x in call.inputs if x not in reached))
    frozen = [tensor for tensor in returned if tensor not in reached]
    copy = rewiring.model()
    values = rewiring.values
    # As rewired: what Keras does to a model's inputs first is left out there.
    is_whole = {values[x] for x in taken} <= set(rewiring.inputs) and not frozen
    body = None if is_whole else keras.Model(rewiring.inputs, [values[x] for x in (*taken, *frozen)], name="body")
    trained = tuple(place for place, tensor in enumerate(returned) if tensor in reached)
    head = keras.Model([values[x] for x in taken], [values[returned[place]] for place in trained], name="head")
    return Parts(copy, body, head, len(taken), trained)
