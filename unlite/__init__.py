"""Deployed `.tflite` files back into Keras models that can be trained, and the proof that they are the same.

Example::

    import unlite

    model = unlite.convert("palm_detection_full.tflite")  # a functional keras.Model
    unlite.verify("palm_detection_full.tflite", model).ok

Every name is imported when it is first used: importing this package imports nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter import UnliteError, __version__, blueprint, convert, load, read, save
    from converter.blueprints.specs import Blueprint, LayerSpec
    from converter.detectors import Detector, Labels, anchors, read_labels
    from converter.match.overrides import read_overrides
    from converter.match.transfer import make_plan, transfer
    from converter.surgery.activations import swap_activation
    from converter.surgery.heads import replace_classes
    from converter.surgery.inputs import resize_input, widen_input
    from converter.tflite.model import Graph, Model
    from converter.write.quantize import quantize
    from converter.write.writer import write
    from parity import assert_parity, layers, verify
    from unlite.detection.finder import load_finder
    from unlite.training.finetuning import finetune
    from unlite.training.settings import TeachingSettings, TrainingSettings
    from unlite.training.teaching import teach

__all__ = [
    "Blueprint",
    "Detector",
    "Graph",
    "Labels",
    "LayerSpec",
    "Model",
    "TeachingSettings",
    "TrainingSettings",
    "UnliteError",
    "__version__",
]
__all__ += [
    "anchors",
    "assert_parity",
    "blueprint",
    "convert",
    "finetune",
    "layers",
    "load",
    "load_finder",
    "make_plan",
]
__all__ += ["quantize", "read", "read_labels", "read_overrides", "replace_classes", "resize_input", "save"]
__all__ += ["swap_activation", "teach", "transfer", "verify", "widen_input", "write"]
# Where each name comes from.
_HOMES = {
    "converter": "Blueprint Graph LayerSpec Model UnliteError __version__ blueprint convert load read save",
    "converter.detectors": "Detector Labels anchors read_labels",
    "converter.match.overrides": "read_overrides",
    "converter.match.transfer": "make_plan transfer",
    "converter.surgery.heads": "replace_classes",
    "converter.surgery.activations": "swap_activation",
    "converter.surgery.inputs": "resize_input widen_input",
    "converter.write.quantize": "quantize",
    "converter.write.writer": "write",
    "parity": "assert_parity layers verify",
    "unlite.detection.finder": "load_finder",
    "unlite.training.finetuning": "finetune",
    "unlite.training.settings": "TeachingSettings TrainingSettings",
    "unlite.training.teaching": "teach",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names.split():
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
