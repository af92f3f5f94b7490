"""Inputs that stand for what a model will see: pictures, or arrays."""

from collections.abc import Iterator
from pathlib import Path

from converter import detectors
from converter.detectors.table import Detector
from converter.errors import BadDetector, BadInput
from converter.tflite.model import Graph
from parity.inputs.files import load_inputs
from parity.runners.types import Array
from unlite.detection.images import VIDEOS, frames
from unlite.detection.pipeline import as_tensor


def load_representative(path: Path, graph: Graph) -> list[list[Array]]:
    """Inputs for one call each.

    Args:
        path: A folder of pictures and videos, for a known detector; anything else in it is left alone. Or a file of
            arrays, see `parity.inputs.files.load_inputs`; the first axis counts the calls.
        graph: What takes them.

    Raises:
        BadInput: There are none, the model does not take them, or the folder is for no known detector.
        BadPicture: One of the pictures cannot be read.
    """
    made = list(_pictures(path, _detector(path, graph)) if path.is_dir() else _rows(path, graph))
    if not made:
        raise BadInput(f"{path} has no pictures" if path.is_dir() else f"{path} is empty")
    return made


def _pictures(folder: Path, detector: Detector) -> Iterator[list[Array]]:
    from PIL import Image

    suffixes = {*Image.registered_extensions(), *VIDEOS}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and path.is_file():
            for frame in frames(str(path)):
                yield [as_tensor(frame.pixels, detector)[0]]


def _detector(path: Path, graph: Graph) -> Detector:
    taken, given = ([graph.tensors[index].shape[1:] for index in ends] for ends in (graph.inputs, graph.outputs))
    try:
        if len(taken) == 1:
            return detectors.for_shapes(taken[0], given)
    except BadDetector:
        pass
    raise BadInput(
        f"{path} is a folder, and the model is no detector that is known: nothing says how it takes pictures",
        hint="save what it takes with numpy.save or numpy.savez, the first axis counting the pictures",
    )


def _rows(path: Path, graph: Graph) -> Iterator[list[Array]]:
    expected = [graph.tensors[index] for index in graph.inputs]
    for arrays in load_inputs(path, graph):
        counts = {len(array) if array.ndim else 0 for array in arrays}
        shapes = [array.shape[1:] for array in arrays]
        if len(counts) != 1 or shapes != [tensor.shape[1:] for tensor in expected]:
            wanted = ", ".join(f"{tensor} N×{'×'.join(map(str, tensor.shape[1:]))}" for tensor in expected)
            raise BadInput(f"{path} has arrays of shape {[array.shape for array in arrays]}; the model takes {wanted}")
        yield from ([array[row : row + 1] for array in arrays] for row in range(counts.pop()))
