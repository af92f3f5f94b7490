"""Is it the same model? Runs the original and the candidate on the same inputs, and judges.

    import converter, parity

    original = converter.read("palm_detection_full.tflite")
    parity.verify(original, converter.convert(original)).ok

Importing this package imports neither Keras nor numpy.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.graph import Model
    from converter.reader import Source
    from parity.verification import Verification

__all__ = ["verify"]


def verify(
    original: "Source | Model", candidate: Any, *, seeds: int = 8, progress: Callable[[int, int], None] | None = None
) -> "Verification":
    """Run the original in LiteRT and the candidate in Keras on the same inputs, and compare every output.

    Args:
        original: A path, the file's bytes, or what `converter.read` returned.
        candidate: The `keras.Model` that should compute the same.
        seeds: Number of seeds; each gives one input in [0, 1] and one in [-1, 1].
        progress: Called with (inputs done, inputs in all).

    Raises:
        VerificationImpossible: LiteRT cannot run the original, or the candidate takes other inputs.
    """
    from parity.verification import verify

    return verify(original, candidate, seeds, progress)
