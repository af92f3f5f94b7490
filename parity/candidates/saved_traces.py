"""Traces on disk: run a candidate in one environment, compare it in another."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.errors import BadCandidate
from converter.files import check_output, whole_file
from converter.match.network import Network
from converter.ops.forms import Slot, Value
from parity.runners.runtimes import Array

SUFFIX, FORMAT = ".npz", 1


@dataclass(frozen=True)
class Recording:
    """What a trace on disk has.

    Attributes:
        candidate: The candidate's name.
        model: The original's.
        inputs: What both were run on: per run one array per input.
        values: Value of the original → what the candidate made of it, per run; None where it cannot be observed.
        outputs: What the candidate returned, per run, in the original's order.
    """

    candidate: str
    model: str
    inputs: Sequence[Sequence[Array]]
    values: Mapping[Value, Sequence[Array | None]]
    outputs: Sequence[Sequence[Array | None]]


def save_trace(path: Path, recording: Recording) -> None:
    """Write the inputs and what the candidate made of every tensor of the original.

    Args:
        path: Where to; ends in `.npz`.
        recording: What to write.

    Raises:
        OutputNotWritten: It cannot be written.
    """
    check_output(path, SUFFIX)
    arrays = {
        f"{kind}/{run}/{place}": array
        for kind, runs in (("input", recording.inputs), ("output", recording.outputs))
        for run, made in enumerate(runs)
        for place, array in enumerate(made)
        if array is not None
    }
    for value, made in recording.values.items():
        arrays |= {f"value/{run}/{value}": array for run, array in enumerate(made) if array is not None}
    head = {"format": FORMAT, "candidate": recording.candidate, "model": recording.model}
    head_json = json.dumps(head | {"inputs": len(recording.inputs)})
    arrays["head"] = np.frombuffer(head_json.encode(), np.uint8)
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

    def weight(self, _slot: Slot) -> Array | None:
        """See `Candidate.weight`."""
        return None

    def run(self, inputs: Sequence[Array], feeds: Mapping[Value, Array]) -> Mapping[Value, Array]:
        """See `Candidate.run`."""
        number = self._number(inputs)
        if feeds:
            raise BadCandidate("layers of a trace cannot be run alone")
        keys = {f"value/{number}/{value}": value for value in self.network.shapes}
        return {keys[name]: array for name, array in self._arrays.items() if name in keys}

    def outputs(self, inputs: Sequence[Array], made: Mapping[Value, Array]) -> Sequence[Array | None]:
        """See `Candidate.outputs`."""
        number = self._number(inputs)
        return [self._arrays.get(f"output/{number}/{place}") for place in range(len(self.network.outputs))]

    def _number(self, inputs: Sequence[Array]) -> int:
        for number, own in enumerate(self.inputs):
            if all(map(np.array_equal, own, inputs)):
                return number
        raise BadCandidate("the trace was made with other inputs")
