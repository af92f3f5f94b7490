"""`unlite heads`: what it prints, which exit code, and what it leaves behind."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.commands import check_refused, run
from unlite.cost import measure as heads
from unlite.cost.latency import Contender, Timings

pytestmark = pytest.mark.one_setting

NAME = "face_detection_short_range"
FEW = ("--classes", "1,3", "--design", "joint,two_stage")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed: a detector takes ten milliseconds, joint with three classes thirty, everything else one."""
    times = {"original": 10.0, "detector": 10.0, "backbone": 9.0, "joint 1": 10.0, "joint 3": 30.0}

    def interleave(contenders: Mapping[str, Contender], **_: Any) -> Timings:
        return Timings({name: (times.get(name, 1.0) / 1000,) * 20 for name in contenders})

    monkeypatch.setattr(heads, "interleave", interleave)


def test_measures_prints_and_draws(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "heads", NAME, *FEW, "--seconds", "0", "--plot", "out.svg", "--budget", "100s")
    assert code == 0
    assert "litert: the unchanged face_detection_short_range takes" in out
    assert "For 3 classes in litert, take " in out
    assert "The budget of 100000.00 ms is met" in out
    assert out.endswith("drawn into out.svg\n")
    assert Path("out.svg").read_text().rstrip().endswith("</svg>")
    assert "Traceback" not in err


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "heads", NAME, *FEW, "--seconds", "0", "--json")
    made = json.loads(out)
    assert (code, made["ok"], made["model"], made["budget_seconds"]) == (0, True, NAME, None)
    assert [(row["design"], row["classes"]) for row in made["measured"]] == [
        ("joint", 1),
        ("joint", 3),
        ("two_stage", 1),
        ("two_stage", 3),
    ]
    assert all(row["total_seconds"]["median"] > row["model_seconds"]["lower_quartile"] for row in made["measured"])
    assert made["runtimes"]["litert"]["rounds"] == 7


@pytest.mark.usefixtures("told")
def test_missed_budget_and_slow_head(capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--classes", "1,3", "--design", "joint", "--budget", "32.5ms", "--plot", "out.svg")
    code, out, _ = run(capsys, "heads", NAME, *few)
    assert code == 1
    assert "The budget of 32.50 ms is MISSED by 0.50 ms." in out
    assert "SLOW: joint with 3 classes in litert takes 3.00 times" in out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("joint")] == ["ok", "slow"]
    assert Path("out.svg").exists()  # what was measured is still to be seen
    assert run(capsys, "heads", NAME, *few[:4], "--budget", "0.0331s")[0] == 0


@pytest.mark.usefixtures("told")
def test_missed_budget_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "heads", NAME, *FEW, "--budget", "1ms", "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hand_recrop"], "hand_recrop has no detection head"),
        (["none.tflite"], "no such file: none.tflite"),
        ([NAME, "--classes", "0"], "0 classes make no detector"),
        ([NAME, "--classes", "1,-7"], "-7 classes make no detector"),
        ([NAME, "--classes", "many"], "'many' is no list of numbers"),
        ([NAME, "--design", "joint,wide"], "no design 'wide'"),
        ([NAME, "--runtime", "abacus"], "no runtime 'abacus'"),
        ([NAME, "--budget", "fast"], "'fast' is no budget"),
        ([NAME, "--detector", "paw"], "no detector 'paw'"),
        ([NAME, "--plot", "missing/out.svg"], "the folder missing does not exist"),
        ([NAME, "--plot", "out.png"], "does not end in .svg"),
        ([NAME, "--plot", "folder.svg"], "it is a folder"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder.svg").mkdir()
    check_refused(
        capsys, "heads", *arguments, *([] if "--plot" in arguments else ["--plot", "out.svg"]), message=message
    )


def test_help_says_what_the_exit_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(capsys, "heads", "--help")
    assert left.value.code == 0
    assert "exit code 1 if it takes longer" in " ".join(capsys.readouterr().out.split())
