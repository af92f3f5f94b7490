"""How often the layer at fault is named, and how many ways to write a network are understood.

    python -m benchmarks.localisation
    python -m benchmarks.localisation --fresh
    python -m benchmarks.localisation --rewrites

Ends with 1 if a fault that changes an output is not named exactly, or a rewrite is not filled or not found the same.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fixtures.handwritten.architectures import ARCHITECTURES
from fixtures.handwritten.faults import WIRING, sample
from fixtures.handwritten.rewrites import rewrites
from fixtures.handwritten.trials import Case, Filled, Trial, Verdict

# Mutants of each kind of fault: fewer where one takes longer, such that all of it takes some ten minutes on one core.
PER_FAULT = {
    "blaze_palm": 1,
    "blaze_face": 4,
    "palm_192": 2,
    "face_landmark": 4,
    "selfie_segmentation": 3,
    "twelve_blocks": 5,
}
# Of the inputs that a rewrite is compared on.
SEEDS = 3
COLUMNS = ("tried", "changing", "exact with audit", "exact without")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; see `--help`."""
    options = _options(arguments)
    names = [options.architecture] if options.architecture else list(ARCHITECTURES)
    trials: list[Any] = []
    for name in names:
        _say(f"{name} …")
        made = _filled(name, options) if options.rewrites else _tried(name, options)
        for trial in made:
            trials.append(trial)
            if sys.stdout.isatty():
                _say(f"  {len(trials)}", end="\r")
    wrong = _print_filled(trials) if options.rewrites else _print_tried(trials)
    if options.json:
        options.json.write_text(json.dumps([asdict(trial) for trial in trials], indent=1))
    return bool(wrong)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.localisation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--architecture", choices=ARCHITECTURES, help="one of them; default: all")
    parser.add_argument("--kind", help="one kind of fault, or of rewrite; default: all")
    parser.add_argument("--per-fault", type=int, help="mutants of each kind of fault in each architecture")
    parser.add_argument("--seed", type=int, default=0, help="which layers are taken")
    parser.add_argument("--rewrites", action="store_true", help="the rewrites, in place of the faults")
    text = "only faults of who reads what, in models with new weights, which the file's are transferred into"
    parser.add_argument("--fresh", action="store_true", help=text)
    parser.add_argument("--json", type=Path, help="every single result, into this file")
    return parser.parse_args(arguments)


def _tried(name: str, options: argparse.Namespace) -> Iterator[Trial]:
    case = Case(ARCHITECTURES[name])
    for mutant in sample(case.model, options.per_fault or PER_FAULT[name], options.seed):
        if options.kind not in (None, mutant.fault):
            continue
        if not options.fresh:
            yield case.try_mutant(mutant)
        elif mutant.fault in WIRING and (trial := case.try_fresh(mutant)):
            yield trial


def _filled(name: str, options: argparse.Namespace) -> Iterator[Filled]:
    case = Case(ARCHITECTURES[name], SEEDS)
    for rewrite in rewrites(case.model):
        if options.kind in (None, rewrite.kind):
            yield case.try_rewrite(rewrite)


def _print_tried(trials: Sequence[Trial]) -> int:
    for name in dict.fromkeys(trial.architecture for trial in trials):
        own = [trial for trial in trials if trial.architecture == name]
        _say(f"\n{name:32}" + "".join(f"{column:>18}" for column in COLUMNS))
        for fault in sorted({trial.fault for trial in own}):
            _say(f"  {fault:30}{_counts(trial for trial in own if trial.fault == fault)}")
        _say(f"  {'all':30}{_counts(own)}")
    wrong = [trial for trial in trials if not trial.is_exact]
    _say(f"\n{len(wrong)} exceptions")
    for trial in wrong:
        _say(f"{trial.architecture} · {trial.fault} · {', '.join(_few(trial.layers))}")
        if trial.error:
            _say(f"    raised   {trial.error}")
        for how, verdict in (("audited", trial.audited), ("measured", trial.measured)):
            if verdict and not verdict.is_exact:
                _say(f"    {how:8} {verdict.layer or '-'}: {verdict.why.splitlines()[0]}")
    _say(f"\n{'total':32}{_counts(trials)}")
    return len(wrong)


def _counts(trials: Iterable[Trial]) -> str:
    rows = list(trials)
    changing = [trial for trial in rows if trial.changes]
    exact = [
        sum(_is_exact(verdict) for verdict in verdicts)
        for verdicts in zip(*((trial.audited, trial.measured) for trial in changing), strict=True)
    ] or [0, 0]
    return "".join(f"{count:18}" for count in (len(rows), len(changing), *exact))


def _is_exact(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.is_exact


def _few(layers: Sequence[str]) -> list[str]:
    """As many as fit into a line."""
    return [*layers[:4], "…"] if len(layers) > 4 else list(layers)


def _print_filled(trials: Sequence[Filled]) -> int:
    for trial in trials:
        state = "same" if trial.is_same else "filled" if trial.is_complete else "refused"
        _say(f"{trial.architecture:20} {trial.rewrite:46} {state:8} {trial.said}")
    wrong = [trial for trial in trials if not trial.is_same]
    complete = sum(trial.is_complete for trial in trials)
    _say(f"\n{len(trials)} rewrites: {complete} filled, {len(trials) - len(wrong)} found the same")
    return len(wrong)


def _say(line: str, end: str = "\n") -> None:
    sys.stdout.write(line + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
