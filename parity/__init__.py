"""Is it the same model? Runs the original and the candidate on the same inputs, and judges.

Example::

    import converter, parity

    original = converter.read("palm_detection_full.tflite")
    parity.verify(original, converter.convert(original)).ok
    parity.layers(original, my_own_model).guilty

Importing this package imports neither Keras nor numpy.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from converter.match.overrides import Override
    from converter.tflite.model import Model
    from converter.tflite.reader import Source
    from parity.layerwise.results import ParityReport
    from parity.outputs.verification import Verification

__all__ = ["assert_parity", "layers", "verify"]


def verify(
    original: "Source | Model",
    candidate: Any,
    *,
    seeds: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> "Verification":
    """Run the original in LiteRT and the candidate in Keras on the same inputs, and compare every output.

    Args:
        original: A path, the file's bytes, or what `converter.read` returned.
        candidate: The `keras.Model` that should compute the same; or a `.keras` file with it, which is loaded while the
            original is running.
        seeds: Number of seeds; each gives one input in [0, 1] and one in [-1, 1].
        progress: Called with (inputs done, inputs in all).

    Raises:
        VerificationImpossible: LiteRT cannot run the original, or the candidate takes other inputs.
        MalformedModel: The file cannot be loaded.
    """
    from converter import load
    from converter.tflite.model import Model
    from converter.tflite.reader import read
    from parity.inputs import seeded_inputs
    from parity.outputs.verification import Truth, verify
    from parity.runners.runtimes import EAGER, keras_runner

    model = original if isinstance(original, Model) else read(original)
    inputs, truth = seeded_inputs(model.graph, seeds), Truth(model)
    truth.begin(inputs)
    made = load(candidate) if isinstance(candidate, str | PathLike) else candidate
    return verify(truth, keras_runner(made, eager=0 if len(inputs) > EAGER else None), seeds, progress)


def layers(  # noqa: PLR0913 - settings, by keyword
    original: "Source | Model",
    candidate: Any,
    *,
    overrides: "Path | Sequence[Override]" = (),
    inputs: Sequence[Sequence[Any]] | None = None,
    seeds: int = 1,
    with_audit: bool = True,
    progress: Callable[[str], None] | None = None,
) -> "ParityReport":
    """Compare every layer, in the whole network and each one alone, and name the first that is wrong.

    Args:
        original: A path, the file's bytes, or what `converter.read` returned.
        candidate: A `keras.Model`; or a path: `.keras`, `.tflite`, `.onnx`, `file.py:function`, a saved trace.
        overrides: Which layers belong together where neither names nor graph say so: a table, or its rows.
        inputs: Per run one float32 array per input of the original, in its shapes; default: seeded random ones.
        seeds: Number of seeds; each gives one input in [0, 1] and one in [-1, 1].
        with_audit: Whether to compare settings as well, which gives reasons.
        progress: Called with what is being done.

    Raises:
        UnliteError: Something cannot be loaded, run or matched; the message says what to do.
    """
    from parity.layerwise.check import check

    return check(
        original, candidate, overrides=overrides, inputs=inputs, seeds=seeds, with_audit=with_audit, progress=progress
    ).report


def assert_parity(original: "Source | Model", candidate: Any, **settings: Any) -> "ParityReport":
    """As `layers`, with its settings, for tests.

    Raises:
        AssertionError: They differ; the message is the report, with the guilty layer on top.
    """
    __tracebackhide__ = True
    report = layers(original, candidate, **settings)
    if not report.ok:
        from parity.report.text import parity_text

        raise AssertionError(parity_text(report))
    return report
