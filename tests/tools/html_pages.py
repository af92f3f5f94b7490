"""Parity reports made up for the HTML page, with what a page may stumble over."""

from typing import Any

import numpy as np

HOSTILE = "</script><script>document.title = 'broken'</script>;/conv2d \"Ü\""


def statistics(error: float | None, verdict: str = "ok") -> dict[str, Any]:
    made: dict[str, Any] = {"verdict": verdict} | dict.fromkeys(("max_abs", "mean_abs", "relative"), error)
    return made | {"cosine": None if error is None else 1.0, "share_out": 0.0, "non_finite": 3 if error is None else 0}


def a_report(*, ok: bool = False, tensors: int = 12) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {
            "index": index,
            "tensor": f"conv2d_{index}/BiasAdd",
            "op": f"op #{index} CONV_2D",
            "layer": f"conv2d_{index}",
            "shape": [1, 8, 8, 3],
            "span": 1.0,
            "spread": 1e-7,
            "limit": 2e-6,
            "chained_limit": 4e-6,
            "chained": statistics(0.0 if ok or index < 5 else 0.5, "ok" if ok or index < 5 else "differs"),
            "isolated": statistics(0.3, "differs") if index == 5 and not ok else statistics(0.0),
        }
        for index in range(tensors)
    ]
    guilty = {"layer": "conv2d_5", "tensor": "conv2d_5/BiasAdd", "op": "op #5", "mode": "isolated"}
    guilty["why"] = "strides differ"
    if not ok:
        rows[7]["tensor"], rows[7]["layer"] = HOSTILE, HOSTILE
        rows[8]["chained"], rows[8]["isolated"] = statistics(None, "not finite"), None
    return {
        "model": "original<b>",
        "candidate": "mine",
        "ok": ok,
        "inputs": 2,
        "guilty": None if ok else guilty,
        "findings": [] if ok else [{"layer": "conv2d_5", "op": "op #5", "message": "conv2d_5: strides is (1, 1) <i>"}],
        "tensors": rows,
        "notes": ["not compared: <u>nothing</u>"],
    }


def maps_of(report: dict[str, Any], size: int = 8) -> dict[str, Any]:
    maps = np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size)
    return {row["tensor"]: {"chained": maps.copy(), "isolated": maps * 2} for row in report["tensors"]}
