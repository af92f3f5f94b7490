"""HTML pages that need no network: everything is in the one file, plots by Plotly."""

import base64
import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.extras import importing
from converter.files import check_output, whole_file

SUFFIX = ".html"
# What pages share: colours of light and dark, and how they unpack what is packed into them.
SHARED = Path(__file__).parent / "templates"


def write_page(template: Path, path: Path, data: Mapping[str, Any], **shown: Any) -> None:
    """Fill a template in and write it, escaping everything that is not said to be safe.

    Args:
        template: Jinja's; may include what is beside it, and what pages share.
        path: Where to; ends in `.html`.
        data: What its script draws; the template gets it packed as `data`, beside Plotly packed as `plotly`.
        shown: What else the template names.

    Raises:
        OutputNotWritten: It cannot be written.
        MissingBackend: Jinja or Plotly is not installed.
    """
    with importing("html", "an HTML report"):
        import jinja2
        from plotly.offline import get_plotlyjs

    check_output(path, SUFFIX)
    loader = jinja2.FileSystemLoader([template.parent, SHARED])
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, loader=loader)
    packed = {"data": _packed(json.dumps(finite(data), allow_nan=False)), "plotly": _packed(get_plotlyjs())}
    page = environment.get_template(template.name).render(shown | packed)
    with whole_file(path) as whole:
        whole.write_text(page, encoding="utf-8")


def finite(value: Any) -> Any:
    """As JSON can hold it: without NaN and infinity."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _packed(text: str) -> str:
    """Less than half as long, and in letters that nothing in a page can be taken for a tag."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
