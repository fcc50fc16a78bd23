"""The table of the logs, and what each log comes to: against the published scores where the logs are, else against plain counting."""

import ast
import os
from pathlib import Path

import numpy as np
import pytest

from analysis.published.counts import COLUMNS, PLACES
from analysis.published.logs import baselines, read_logs
from analysis.published.names import full_names, names
from analysis.published.reading import CODE, objects, read_spoken
from analysis.words.readers import reader
from probes.command.cli import BadInput
from tests.analysis.published import METHODS, world, write_world
from tests.rooms import ROOT

REAL = Path(os.environ.get("KVSMOOTH_REAL_LOGS", Path(__file__).parents[3].parent / "shared" / "data" / "real_logs"))
PUBLISHED = {
    "opera-llava-1.5-greedy": (44.8, 12.70),
    "opera-llava-1.5-beam5": (48.8, 13.85),
    "opera-llava-1.5-ours": (44.6, 12.70),
    "opera-instructblip-greedy": (58.8, 23.68),
    "opera-minigpt4-greedy": (31.6, 9.82),
    "lessismore-r1-llava1.5-7b": (50.0, 15.36),
    "lessismore-r2-vcd": (48.6, 14.91),
    "lessismore-r3-opera": (47.8, 14.58),
    "lessismore-r4-opera-fast": (48.6, 14.46),
}
"""CHAIR_s and CHAIR_i, percent, as the logs' owners published them."""


def chair(spoken):
    total = dict(zip(COLUMNS, spoken.counts.sum(0), strict=True))
    return round(100 * total["hallucinating"] / total["captions"], 2), round(100 * total["hallucinated"] / total["mentions"], 2)


@pytest.mark.slow
def test_scores_are_the_published_ones(tmp_path, nltk_data):
    """Where the logs or NLTK's data are not, invented logs have the scores that plain counting gives."""
    if REAL.is_dir() and nltk_data:
        logs, truth, read, expected = read_logs(REAL / "captions"), REAL / "ground_truth.jsonl", reader("exact"), PUBLISHED
    else:
        folder, truth = write_world(tmp_path)
        absent = {
            name: [[absent for _, absent in METHODS[name](caption)] for caption in world()[1].values()] for name in ("greedy", "loop")
        }
        expected = {name: (100 * np.mean([*map(any, rows)]), 100 * np.mean(np.concatenate(rows))) for name, rows in absent.items()}
        logs, read = read_logs(folder), reader("bundled")
    spoken, _ = read_spoken([log for log in logs if log.name in expected], truth, read, tmp_path / "store")
    assert {name: chair(one) for name, one in spoken.items()} == {name: pytest.approx(told, abs=0.005) for name, told in expected.items()}


def test_a_caption_is_reduced_to_its_mentions(tmp_path):
    (tmp_path / "captions").mkdir()
    (tmp_path / "truth.jsonl").write_text('{"image_id": 3, "objects": ["dog"]}\n{"image_id": 1, "objects": []}\n')
    text = "A dog and a cat. The dog sleeps! In the background, a dog"
    (tmp_path / "captions" / "mine.jsonl").write_text(f'{{"image_id": 3, "caption": "{text}"}}\n{{"image_id": 1, "caption": "Nothing."}}\n')
    read = reader("bundled")
    spoken, _ = read_spoken(read_logs(tmp_path / "captions"), tmp_path / "truth.jsonl", read, tmp_path / "store")
    one = spoken["mine"]
    assert one.images.tolist() == [1, 3]
    number = {name: i for i, name in enumerate(objects(read))}
    named = {name: one.places[1, :, i].tolist() for i, name in enumerate(PLACES)}
    assert named["object"] == [number[name] for name in ("dog", "cat", "dog", "dog")]
    assert named["absent"] == [0, 1, 0, 0]
    assert named["sentence"] == [0, 0, 1, 2]
    assert named["background"] == [0, 0, 0, 1]
    assert named["word"] == [1, 4, 7, 15]
    counts = dict(zip(COLUMNS, one.counts[1], strict=True))
    assert (counts["mentions"], counts["hallucinated"], counts["at_risk"], counts["unfinished"]) == (4, 1, 2, 1)
    assert (counts["mentions_first"], counts["hallucinated_first"], counts["mentions_last"]) == (2, 1, 1)
    assert (one.places[0] == -1).all()
    assert one.mentions.truth.tolist() == [0, 1]


def test_the_key_of_what_is_kept_covers_the_code_that_counts():
    """Modules of this project that `published/counts.py` takes functions from, but for what readers cover."""
    tree = ast.parse((ROOT / "analysis" / "published" / "counts.py").read_text(encoding="utf-8"))
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module.startswith("analysis.")}
    files = {f"{name.removeprefix('analysis.').replace('.', '/')}.py" for name in named}
    assert files - {"words/readers.py"} <= {*CODE}


def test_what_is_kept_is_read_again_and_made_anew_where_the_log_changed(tmp_path):
    folder, truth = write_world(tmp_path, ("greedy", "late"), images=5)
    logs, read, store = read_logs(folder), reader("bundled"), tmp_path / "store"
    first, data = read_spoken(logs, truth, read, store)
    kept = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    again, same = read_spoken(logs, truth, read, store)
    assert same == data
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == kept
    for name in first:
        assert all(np.array_equal(getattr(first[name], part), getattr(again[name], part)) for part in ("images", "counts", "places"))
    sorted(store.iterdir())[0].write_bytes(b"torn")
    log = folder / "greedy.jsonl"
    log.write_text(log.read_text().replace("Here stands one", "A kite, and one"))
    changed, other = read_spoken(logs, truth, read, store)
    assert other != data
    assert changed["greedy"].counts[:, COLUMNS.index("hallucinated")].sum() > first["greedy"].counts[:, COLUMNS.index("hallucinated")].sum()
    assert np.array_equal(changed["late"].counts, first["late"].counts)


def test_without_a_table_each_file_is_a_log(tmp_path):
    folder, _ = write_world(tmp_path, ("greedy", "late"), images=2)
    (tmp_path / "logs.csv").unlink()
    (folder / "one_file_an_image").mkdir()
    assert [(log.name, log.model, log.method, log.open) for log in read_logs(folder)] == [
        *(("greedy", "", "greedy", True), ("late", "", "late", True), ("one_file_an_image", "", "one_file_an_image", True))
    ]
    assert baselines(read_logs(folder))[""].name == "greedy"


def test_a_licence_that_leaves_nothing_closes_a_log(tmp_path):
    folder, _ = write_world(tmp_path, ("greedy",), licence="none stated: for checks only", images=2)
    assert [log.open for log in read_logs(folder)] == [False]


def test_names_tell_logs_of_one_method_apart():
    log = {"model": "A-7B", "method": "OPERA", "settings": "", "repository": "x/OPERA"}
    logs = [
        log | {"name": "one"},
        log | {"name": "two", "repository": "y/less_is_more"},
        log | {"name": "three", "method": "VCD"},
        log | {"name": "four", "model": "B-7B"},
    ]
    assert names(logs) == {"one": "OPERA (OPERA)", "two": "OPERA (less is more)", "three": "VCD", "four": "OPERA"}
    assert full_names(logs)["four"] == "B-7B OPERA"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("file,model\ngreedy.jsonl,A\n", "row 2: lacks method"),
        ("file,model,method\nabsent.jsonl,A,greedy\n", "is not there"),
        ("file,model,method\ngreedy.jsonl,A,greedy\ngreedy.jsonl,A,VCD\n", "'greedy' is there twice"),
        ("file,model,method\n", "holds no log"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path, table, why):
    folder, _ = write_world(tmp_path, ("greedy",), images=2)
    (tmp_path / "logs.csv").write_text(table)
    with pytest.raises(BadInput, match=why):
        read_logs(folder)


def test_a_folder_that_is_not_there_and_two_baselines_are_one_line(tmp_path):
    with pytest.raises(BadInput, match="there is no such folder"):
        read_logs(tmp_path / "absent")
    folder, _ = write_world(tmp_path, ("greedy", "late"), images=2)
    (tmp_path / "logs.csv").write_text("file,model,method\ngreedy.jsonl,A,greedy\nlate.jsonl,A,greedy\n")
    with pytest.raises(BadInput, match="are both the greedy log of A"):
        baselines(read_logs(folder))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('{"image_id": 1, "caption": "A dog."}\n{"image_id": 1, "caption": "A cat."}\n', "image 1 has two captions"),
        ('{"image_id": 999, "caption": "A dog."}\n', "of images without ground truth"),
        ("", "holds no caption"),
    ],
)
def test_a_log_that_cannot_be_compared_is_one_line(tmp_path, lines, why):
    folder, truth = write_world(tmp_path, ("greedy",), images=2)
    (folder / "greedy.jsonl").write_text(lines)
    with pytest.raises(BadInput, match=why):
        read_spoken(read_logs(folder), truth, reader("bundled"), tmp_path / "store")
