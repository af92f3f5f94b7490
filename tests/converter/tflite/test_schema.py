"""The schema that files are read with is the one of the `tflite` package."""

from importlib import resources

from fixtures import derive_schema


def test_schema_json_is_what_derive_schema_makes() -> None:
    stored = resources.files("converter.tflite").joinpath("schema.json").read_text(encoding="utf-8")
    assert derive_schema.render(derive_schema.derive()) == stored
