"""A subject that is not the project's, with images of its own, in every question; without them one line says what to give."""

import importlib
import json

import pytest
import xarray as xr

from probes.command.cli import BadInput
from tests.analysis.foreign import FILES, OBJECTS, save_annotations, save_images, save_subject
from tests.analysis.question.configs import CONFIGS, config_of

ANNOTATED = ("drift", "mediation", "logits", "coupling", "onset", "ablation", "sensitivity")
FEW = {
    "drift": {"fluent": 0},
    "mediation": {"max_new_tokens": 5},  # it patches what others record
    "ablation": {"places": ("keys",), "workers": 1, "fluent": 0, "max_new_tokens": 5},
    "sensitivity": {"lambdas": (0.5,), "margins": (), "windows": (), "workers": 1, "max_new_tokens": 5},
}


def command(question, **options):
    """The question's command with these options."""
    importlib.import_module(f"analysis.{question}.__main__").main(config_of(question)(**options))


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Folder of the subject, folder of its images, annotations."""
    folder = tmp_path_factory.mktemp("mine")
    return save_subject(folder / "subject"), save_images(folder / "images"), save_annotations(folder / "instances.json")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What one question records serves the next, as it does for a user; images have other numbers without annotations."""
    folder = tmp_path_factory.mktemp("recorded")
    return {question: folder / ("annotated" if question in ANNOTATED else "bare") for question in CONFIGS}


def places(tmp_path, question, recordings=None):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {question} -->\n<!-- /{question} -->\n")
    found = {"out": tmp_path / "out", "page": page}
    if question in ("mediation", "sinks", "ablation", "sensitivity", "dose"):
        found["store"] = tmp_path / "store"
    if question not in ("mediation", "ablation", "sensitivity", "dose"):
        found["recordings"] = recordings or tmp_path / "recordings"
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("question", [question for question in CONFIGS if question != "dose"])  # which needs validation scenes
@pytest.mark.usefixtures("undrawn", "few_resamples")
def test_it_is_shown_its_own_images_and_scored_by_their_own_objects(question, mine, recorded, tmp_path):
    subject, images, annotations = mine
    asked = {"subject": str(subject), "image_folder": images, "images": 4, "batch_size": 4, "max_new_tokens": 12}
    asked |= {"annotations": annotations} if question in ANNOTATED else {}
    command(question, **(asked | places(tmp_path, question, recorded[question]) | FEW.get(question, {})))
    found = json.loads((tmp_path / "out" / f"{question}.json").read_text())
    data = xr.load_dataset(tmp_path / "out" / f"{question}.nc", engine="h5netcdf")
    numbers = set(FILES.values()) if question in ANNOTATED else {0, 1, 2, 3}  # without annotations, images are counted
    assert set(data["image"].values.tolist()) == numbers
    assert found["results"]
    if "cell" in data.dims:
        there = data["counts"].sel(count="truth").transpose("cell", "image").values
        assert there.tolist() == [[len(OBJECTS[int(number)]) for number in data["image"].values]] * len(there)
    if "caption_counts" in data:
        there = data["caption_counts"].sel(count="truth", arm="baseline")
        assert there.values.tolist() == [len(OBJECTS[int(number)]) for number in data["image"].values]


@pytest.mark.parametrize("question", [question for question in CONFIGS if question != "dose"])  # which says what it needs itself
def test_without_images_one_line_says_what_to_give_before_the_model_is_loaded(question, tmp_path):
    """There is no such subject: to find that out it would have to be loaded."""
    with pytest.raises(BadInput, match=r"subject mine: it brings no images; give a folder.* \(--image-folder\)"):
        command(question, subject="mine", images=2, **places(tmp_path, question))


@pytest.mark.parametrize("question", [name for name in ANNOTATED if name != "drift"])
def test_images_without_their_objects_are_refused_in_one_line(question, mine, tmp_path):
    with pytest.raises(BadInput, match=r"what is in these images is not known; give their objects \(--annotations"):
        command(question, subject="mine", image_folder=mine[1], images=2, **places(tmp_path, question))
