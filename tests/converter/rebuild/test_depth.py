"""More layers than Python's limit of recursion: there and back, and the limit is what it was."""

import sys
from pathlib import Path
from typing import Any

import pytest

import converter
from converter.errors import MalformedModel, ShapeDisagreement
from converter.rebuild.depth import deep_graph, layers_in
from converter.write.writer import write
from fixtures.builder import Builder

pytestmark = pytest.mark.one_setting

# Operators of the chain.
MANY = sys.getrecursionlimit() + 100


@pytest.fixture(scope="module")
def chain() -> bytes:
    builder = Builder()
    x = builder.input((1, 2))
    for _ in range(MANY):
        (x,) = builder.op("RELU", [x], [(1, 2)])
    return builder.build([x])


def inside(calls: int) -> int:
    """So many calls inside each other."""
    return inside(calls - 1) if calls else sys.getrecursionlimit()


def test_a_long_chain_goes_there_and_back(chain: bytes, tmp_path: Path) -> None:
    limit = sys.getrecursionlimit()
    path = tmp_path / "chain.keras"
    converter.save(converter.convert(chain), path)
    assert layers_in(path) == MANY + 1  # the input is one as well
    model = converter.load(path)
    assert len(model.layers) == MANY + 1
    assert write(converter.read(chain), model) == chain
    assert sys.getrecursionlimit() == limit


def test_the_limit_is_what_a_graph_needs_and_no_more() -> None:
    limit = sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        inside(MANY)
    with deep_graph(MANY):
        assert inside(MANY) == limit + MANY
        with pytest.raises(RecursionError):
            inside(limit + MANY)
    assert sys.getrecursionlimit() == limit


def test_the_limit_is_restored_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = sys.getrecursionlimit()
    (tmp_path / "no.keras").write_bytes(b"no archive")
    assert layers_in(tmp_path / "no.keras") == 0
    with pytest.raises(MalformedModel):
        converter.load(tmp_path / "no.keras")
    seen = []

    def refuse(*_: Any, **__: Any) -> None:
        seen.append(sys.getrecursionlimit())
        raise ShapeDisagreement("refused")

    small = Builder()
    x = small.input((1, 2))
    data = small.build(small.op("RELU", [x], [(1, 2)]))
    monkeypatch.setattr("keras.Model", refuse)
    with pytest.raises(ShapeDisagreement, match="refused"):
        converter.convert(data)
    assert seen == [limit + 1]
    assert sys.getrecursionlimit() == limit
