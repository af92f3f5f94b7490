"""Traces on disk: run a candidate in one environment, compare it in another."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.errors import BadCandidate
from converter.files import check_output, whole_file
from converter.match.network import Network
from converter.ops.node import Ref
from parity.layerwise.modes import BothModes
from parity.layerwise.original import Original
from parity.runners.types import Array

SUFFIX, FORMAT = ".npz", 1


def save_trace(path: Path, original: Original, modes: BothModes, name: str) -> None:
    """Write the inputs and what the candidate made of every tensor of the original.

    Args:
        path: Where to; ends in `.npz`.
        original: What was run.
        modes: The candidate's values.
        name: The candidate's.

    Raises:
        OutputNotWritten: It cannot be written.
    """
    check_output(path, SUFFIX)
    arrays = {
        f"input/{run}/{place}": array
        for run, inputs in enumerate(original.inputs)
        for place, array in enumerate(inputs)
    }
    for value, made in modes.by_value().items():
        arrays |= {f"value/{run}/{value}": array for run, array in enumerate(made) if array is not None}
    arrays |= {
        f"output/{run}/{place}": array
        for run, outputs in enumerate(modes.real)
        for place, array in enumerate(outputs)
        if array is not None
    }
    head = {"format": FORMAT, "candidate": name, "model": original.blueprint.name, "inputs": len(original.inputs)}
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    with whole_file(path) as whole:
        np.savez_compressed(whole, **arrays)  # type: ignore[arg-type]


class SavedTrace:
    """A candidate that ran elsewhere. Its layers cannot be run again, so there is no isolated mode.

    Args:
        path: What `save_trace` wrote.

    Attributes:
        inputs: What it was run on: run the original on the same.

    Raises:
        BadCandidate: The file is no trace.
    """

    can_isolate = False
    has_named_outputs = False

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as archive:
                self._arrays = {name: archive[name] for name in archive.files}
            head = json.loads(bytes(self._arrays.pop("head")))
            if head["format"] != FORMAT:
                raise BadCandidate(f"{path} is a trace of format {head['format']}; format {FORMAT} is known here")
            self.name, self.model = str(head["candidate"]), str(head["model"])
            runs = range(int(head["inputs"]))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise BadCandidate(f"{path} is no trace: {error}", hint="`unlite parity --save-trace` writes one") from None
        self.inputs: list[list[Array]] = [
            [array for name, array in self._arrays.items() if name.startswith(f"input/{run}/")] for run in runs
        ]
        self.network: Network

    def attach(self, network: Network) -> "SavedTrace":
        """Say which model it is a trace of: its values are the original's."""
        self.network = network
        return self

    def run(self, inputs: Sequence[Array], feeds: Mapping[Ref, Array]) -> Mapping[Ref, Array]:
        """See `Candidate.run`."""
        number = self._number(inputs)
        if feeds:
            raise BadCandidate("layers of a trace cannot be run alone")
        keys = {f"value/{number}/{value}": value for value in self.network.shapes}
        return {keys[name]: array for name, array in self._arrays.items() if name in keys}

    def outputs(self, inputs: Sequence[Array], made: Mapping[Ref, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        number = self._number(inputs)
        return [self._arrays.get(f"output/{number}/{place}") for place in range(len(self.network.outputs))]

    def _number(self, inputs: Sequence[Array]) -> int:
        for number, own in enumerate(self.inputs):
            if all(map(np.array_equal, own, inputs)):
                return number
        raise BadCandidate("the trace was made with other inputs")

    def value_of(self, layer: str) -> Ref:
        """See `Candidate.value_of`."""
        return next(node.outputs[0] for node in self.network.nodes if node.name == layer)
