"""The command line of unlite: its verbs, and what stands around each of them.

Exit codes: 0 done; 1 the candidate does not agree with the original, or a budget is missed; 2 bad input or
environment; 3 an operator is not supported; 70 a bug in unlite; 130 interrupted; 141 the reader of stdout has gone.
"""

import argparse
import gc
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Collection
from typing import Any

import converter
from converter.errors import UnliteError
from unlite.commands import collect, convert, demo, detect, export, finetune, heads, inspect, parity, transfer, zoo
from unlite.commands.frame import Result, Verb

VERBS = tuple(
    each.VERB for each in (inspect, convert, transfer, parity, export, collect, finetune, detect, heads, zoo, demo)
)
DISAGREES, BUG, INTERRUPTED, PIPE_CLOSED = 1, 70, 130, 141
QUOTED = r"""(?:'[^']*'|"[^"]*")"""
# What the library calls a setting and its value: dtype='float16' or 'float32', verify=False, allow_unfed=['PATTERN'].
SETTING = re.compile(
    rf"(?<![\w/.-])([a-z_]+)=(True|False|\[{QUOTED}\]|[\w.]+\({QUOTED}\)|{QUOTED}(?: or {QUOTED})*)(?![\w/])"
)


def process() -> int:
    """Run the command that the process was started with, and be quick about ending it."""
    code = main()
    # Python would look through whatever TensorFlow has made once more, for more than a second.
    gc.freeze()
    return code


def main(argv: list[str] | None = None) -> int:
    """Run one command; a user's mistake ends in one message and an exit code, never in a traceback."""
    # TensorFlow's log goes to the terminal of somebody who did not ask for it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × gets ? instead of a traceback
    try:
        arguments = build_parser().parse_args(argv)
        result: Result = arguments.run(arguments)
        _print(result, as_json=vars(arguments).get("json", False))
        sys.stdout.flush()
        return 0 if result.ok else DISAGREES
    except UnliteError as error:
        print(f"error: {in_options(str(error), vars(arguments))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; no file was left half written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:  # stdout is full or gone
        print(f"error: {error}", file=sys.stderr)
        return UnliteError.exit_code
    except Exception:  # noqa: BLE001 - exit code 1, which Python would give, says that a model disagrees
        traceback.print_exc()
        print("this is a bug in unlite, please report it with the lines above", file=sys.stderr)
        return BUG


def _print(result: Result, *, as_json: bool) -> None:
    if as_json and result.document:
        print(json.dumps(result.document(), indent=2))
        return
    from parity.report.text import make_console

    result.show(make_console())


def in_options(text: str, known: Collection[str]) -> str:
    """What the library says of its settings, as the options of a command.

    Args:
        text: A message with settings as Python spells them; those that the command does not have stay as they are.
        known: What the command's options are called in `argparse`'s namespace.
    """

    def option(setting: re.Match[str]) -> str:
        name, value = setting.groups()
        name, value = (f"no_{name}", "True") if value == "False" else (name, value)
        if name not in known:
            return setting[0]
        flag = f"--{name.replace('_', '-')}"
        if value == "True":
            return flag
        # A pattern stays quoted, for the shell.
        shown = value[1:-1] if value.startswith("[") else re.sub(r"[\w.]+\(|\)|['\"]", "", value)
        return f"{flag} {shown}"

    return SETTING.sub(option, text)


def build_parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
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
    _add(parser.add_subparsers(title="commands", metavar="COMMAND", required=True), VERBS)
    return parser


def _add(subparsers: Any, verbs: tuple[Verb, ...]) -> None:
    from rich_argparse import RichHelpFormatter

    for verb in verbs:
        about = {"help": verb.text, "description": verb.text, "formatter_class": RichHelpFormatter}
        made = subparsers.add_parser(verb.name, **about)
        made.set_defaults(run=verb.run)
        verb.add_options(made)
        if verb.verbs:
            _add(made.add_subparsers(title="commands", metavar="COMMAND"), verb.verbs)
