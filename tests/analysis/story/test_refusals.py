"""What the story refuses: files that are missing, damaged, of another version or subject, or that do not belong to the data beside them."""

import hashlib
import json
from pathlib import Path

import pytest

from analysis.stats.rows import as_json
from analysis.story.__main__ import StoryConfig, main
from analysis.story.results import sources
from probes.command.cli import BadInput
from tests.analysis.story.test_story import judged, subject


def test_files_of_another_subject_and_data_that_do_not_belong_together_are_refused(tmp_path):
    made = subject((0.3, 0.1, 0.5))
    folder = tmp_path / "emoji" / "dose"
    folder.mkdir(parents=True)
    made.reduced.to_netcdf(folder / "dose.nc", engine="h5netcdf")
    checksum = hashlib.sha256((folder / "dose.nc").read_bytes()).hexdigest()
    whole = {**made.origin, "config": {**made.origin["config"], "subject": "emoji"}, "dose_nc_sha256": checksum}

    def with_origin(**other):
        (folder / "dose.json").write_text(as_json(judged()[1], {**whole, **other}), encoding="utf-8")
        return sources(tmp_path)

    assert with_origin().subjects[0].name == "emoji"
    with pytest.raises(BadInput, match=r"dose\.json: was made of other data than dose\.nc beside it"):
        with_origin(dose_nc_sha256="0" * 64)
    with pytest.raises(BadInput, match=r"dose\.json: holds results of smollm2, not of emoji"):
        with_origin(config={**whole["config"], "subject": "smollm2"})
    for name, scenes, beams in (("methods", "others", 1), ("methods_beams", "these", 5), ("methods_many", "these", 1)):
        config = {"subject": "emoji", "beams": beams, "level": 0.95}
        told = {
            "results": [{"name": name, "estimate": 0.5, "p": None, "p_adjusted": None, "interval": [0.4, 0.6]}],
            "provenance": {"config": config, "data_hash": scenes},
        }
        (tmp_path / "emoji" / name).mkdir()
        (tmp_path / "emoji" / name / "methods.json").write_text(json.dumps(told), encoding="utf-8")
    assert [*with_origin(data_hash="these").subjects[0].methods] == ["methods_many"]
    assert with_origin(data_hash="none").subjects[0].methods == {}
    (tmp_path / "emoji" / "mechanism").mkdir()
    held = {"results": [], "provenance": {"config": {"subject": "smollm2"}}}
    (tmp_path / "emoji" / "mechanism" / "mechanism.json").write_text(json.dumps(held), encoding="utf-8")
    with pytest.raises(BadInput, match=r"mechanism\.json: holds results of smollm2, not of emoji"):
        sources(tmp_path)


def test_what_is_not_there_is_told_in_a_line(tmp_path):
    (tmp_path / "page.md").write_text("<!-- story -->\n<!-- /story -->\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"no subject's dose question lies there; run python -m analysis\.dose"):
        main(StoryConfig(figures=tmp_path, page=tmp_path / "page.md"))
    with pytest.raises(BadInput, match="give a page of your own"):
        main(StoryConfig(figures=tmp_path))
    with pytest.raises(BadInput, match="give a page of your own"):
        main(StoryConfig(figures=tmp_path, page=Path("docs/findings.md").resolve()))
    with pytest.raises(BadInput, match="needs the marks"):
        main(StoryConfig(figures=tmp_path, page=tmp_path / "none.md"))


def test_files_of_another_version_are_told_in_a_line(tmp_path):
    made = subject((0.3, 0.1, 0.5))
    folder = tmp_path / "emoji" / "dose"
    folder.mkdir(parents=True)
    page = tmp_path / "page.md"
    page.write_text("<!-- story -->\n<!-- /story -->\n", encoding="utf-8")
    made.reduced.to_netcdf(folder / "dose.nc", engine="h5netcdf")
    found = json.loads(as_json(judged()[1], made.origin))
    found["results"] = [row for row in found["results"] if row["name"] != "test/recall/none"]
    (folder / "dose.json").write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(BadInput, match="lacks 'test/recall/none'"):
        main(StoryConfig(figures=tmp_path, page=page))
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "published.json").write_text(json.dumps({"results": found["results"]}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"published\.json: lacks 'verdicts'"):
        main(StoryConfig(figures=tmp_path, page=page))
    (folder / "dose.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BadInput, match=r"dose\.json: cannot be read"):
        main(StoryConfig(figures=tmp_path, page=page))
    assert page.read_text(encoding="utf-8") == "<!-- story -->\n<!-- /story -->\n"
