"""`unlite convert`: convert, verify, save; nothing is written before everything else is done."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import converter
import parity
from converter.tflite.model import Model
from parity.layerwise.original import Progress
from parity.outputs.verification import Verification


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it.

    Attributes:
        name: The original's.
        layers: Number of layers.
        parameters: Number of weights.
        verification: The comparison; None if not asked for.
        output: Where the model was written; None if it does not agree.
    """

    name: str
    layers: int
    parameters: int
    verification: Verification | None
    output: Path | None

    @property
    def ok(self) -> bool:
        """Whether it was written."""
        return self.output is not None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.name,
            "output": str(self.output) if self.output else None,
            "layers": self.layers,
            "parameters": self.parameters,
            "verification": self.verification.as_dict() if self.verification else None,
        }


def convert(original: Model, output: Path, *, verify: bool, progress: Progress) -> Conversion:
    """Convert a file, and write the model if it agrees.

    Args:
        original: The file.
        output: Where to write the model.
        verify: Whether to compare at all.
        progress: Called with what is being done.
    """
    model = converter.convert(original, progress=lambda done, all_: progress(f"building layer {done}/{all_}"))
    verification = None
    if verify:
        verification = parity.verify(
            original, model, progress=lambda done, all_: progress(f"verifying, input {done}/{all_}")
        )
    agrees = verification is None or verification.ok
    if agrees:
        progress(f"saving {output}")
        converter.save(model, output)
    return Conversion(original.name, len(model.layers), model.count_params(), verification, output if agrees else None)
