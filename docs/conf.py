"""The documentation site: guides in Markdown, reference from docstrings. `tox -e docs` builds it."""

import re
import sys
import typing
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent))


def stand_in() -> ModuleType:
    """What `converter.layers` needs of Keras to be imported: Keras itself would need one of its back ends."""

    def register(package: str) -> Any:
        return lambda cls: cls

    module: Any = ModuleType("keras")
    for name in ("KerasTensor", "Model"):
        setattr(module, name, type(name, (), {"__module__": "keras"}))
    module.ops = SimpleNamespace()
    module.layers = SimpleNamespace(Layer=type("Layer", (), {"__module__": "keras.layers"}))
    module.saving = SimpleNamespace(register_keras_serializable=register)
    return module


sys.modules["keras"] = stand_in()

# Names that only annotations use are imported as well, so that they become links.
with mock.patch.object(typing, "TYPE_CHECKING", new=True):
    for package in ("converter.detectors", "converter.ops.forms.layouts", "parity.outputs.verification"):
        import_module(package)

project = "unlite"
project_copyright = "the authors of unlite, Apache-2.0"
release = version = import_module("converter").__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# Links to sections, as code hosts name them.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 100
# Docstrings have code in single backticks, as Markdown has.
default_role = "literal"

# Every name in a signature, as a type, or in a `Raises:` has to be found.
nitpicky = True
nitpick_ignore_regex = [
    # Other projects' names: their sites cannot be asked without a network.
    ("py:.*", r"(keras|numpy|collections|os|pathlib|typing|argparse)\..*"),
    # Half of `tuple[str, ...] | None`, which Sphinx takes apart at its comma.
    ("py:class", r"tuple\[str"),
    # What results have in them for the project's own use.
    (
        "py:class",
        r"converter\.(blueprints\.build\.Lowered|match\.(trace\.KerasNetwork|network\.Network|matching\.Matching|alignment\.evidence\.Match)|ops\.forms\.node\.(Node|Value))",
    ),
]

html_theme = "furo"
html_title = f"unlite {release}"
html_copy_source = False

# Files of the top level that are pages here. They link to each other, and are linked to, where they lie.
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def from_docs(text: str) -> str:
    """Links of a page in this folder to the top level's files become links to their pages."""
    for file, page in PAGES.items():
        text = text.replace(f"](../{file}", f"]({page}")
    return text


def from_top_level(text: str) -> str:
    """Links of a file of the top level, as they are from this folder."""
    return from_docs(re.sub(r"\]\((?!#|\w+:)", "](../", text).replace("](../docs/", "]("))


def setup(app: Any) -> None:
    """Have links mended that lead from one page to another in the repository, and not in the site."""

    def on_read(_: Any, name: str, source: list[str]) -> None:
        source[0] = from_docs(source[0])

    def on_include(_: Any, path: Path, name: str, source: list[str]) -> None:
        source[0] = from_top_level(source[0])

    app.connect("source-read", on_read)
    app.connect("include-read", on_include)
