"""How many captions the packaged language model reads, where it is there and where it is not."""

import pytest

from analysis.dose import __main__ as dose
from analysis.language.reading import FIRST, how_many
from analysis.methods import __main__ as methods
from analysis.published import __main__ as published
from probes.command.cli import BadInput, Notice
from probes.subjects.smollm2 import base


def test_how_many_are_read(monkeypatch):
    assert (how_many(0), how_many(None), how_many(7)) == (0, FIRST, 7)
    monkeypatch.setattr(base, "WHEEL", "not_installed")
    assert how_many(0) == 0
    with pytest.warns(Notice, match=r"^NLL and broken captions are left out: the package not_installed .*; or give --fluent 0\.$"):
        assert how_many(None) == 0
    with pytest.raises(BadInput, match=r"^--fluent 3: the package not_installed .*; or give --fluent 0\.$"):
        how_many(3)


@pytest.mark.parametrize(
    ("main", "config", "option"),
    [
        (dose.main, dose.DoseConfig, "--fluent"),
        (methods.main, methods.MethodsConfig, "--fluent"),
        (published.main, published.PublishedConfig, "--fluency"),
    ],
    ids=["dose", "methods", "published"],
)
def test_where_none_can_be_read_it_is_told_before_any_caption_is_made(main, config, option, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "WHEEL", "not_installed")
    places = {name: tmp_path / name for name in ("out", "store")} | {"page": tmp_path / "page.md"}
    logs = {
        name: tmp_path / "none" for name in ("captions", "annotations") if name in config.__dataclass_fields__ and option == "--fluency"
    }
    with pytest.raises(BadInput, match=rf"^{option} \d+: the package not_installed .*; or give {option} 0\.$"):
        main(config(**places, **logs))
    assert not [*tmp_path.rglob("*.json")]
