"""`import unlite`: every name that users need, each imported when it is first used."""

from pathlib import Path

import pytest

import unlite
from tests.tools.commands import process
from tests.tools.files import siblings_file

pytestmark = pytest.mark.one_setting


def test_imports_nothing_else() -> None:
    code = "import sys; import unlite; dir(unlite); print({'converter', 'parity', 'keras', 'numpy'} & {*sys.modules})"
    assert process(code=code).stdout == "set()\n"


def test_every_name_is_there() -> None:
    homes = [(name, module) for module, names in unlite._HOMES.items() for name in names.split()]
    assert sorted(name for name, _ in homes) == sorted(unlite.__all__)
    assert {*unlite.__all__} <= {*dir(unlite)}
    for name, module in homes:
        assert getattr(unlite, name) is vars(__import__(module, fromlist=[name]))[name]
    with pytest.raises(AttributeError, match="module 'unlite' has no attribute 'konvert'"):
        unlite.konvert  # noqa: B018


def test_from_file_to_file(tmp_path: Path) -> None:
    original = unlite.read(siblings_file("left", "right"))
    model = unlite.convert(unlite.blueprint(original.graph, "mine"))
    assert model.name == "mine"
    assert unlite.verify(original, model).ok
    assert unlite.layers(original, model).ok
    unlite.save(model, tmp_path / "model.keras")
    assert unlite.write(original, unlite.load(tmp_path / "model.keras")) == bytes(original.data)
