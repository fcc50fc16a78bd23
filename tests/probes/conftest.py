"""The bundled subject with random weights, on disk, and a few scenes for it."""

import json
import logging

import numpy as np
import pytest
import xarray as xr

from probes.recordings.recording import labelled
from probes.recordings.schema import ATTRIBUTES
from probes.subjects import Item, load_subject
from probes.subjects.emoji import build, scenes

SCENES = 5


@pytest.fixture(scope="session")
def subject_folder(tmp_path_factory):
    """A saved model with its processor; the weights are random, so its captions run to the bound."""
    folder = tmp_path_factory.mktemp("subject")
    model, processor = build(0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number, scene in enumerate(scenes(SCENES)):
        scene.image.save(folder / f"scene_{number:03d}.png")
    return folder


@pytest.fixture(scope="session")
def subject(subject_folder):
    return load_subject(str(subject_folder))


@pytest.fixture(scope="session")
def items():
    return [Item(number, scene.image) for number, scene in enumerate(scenes(SCENES))]


@pytest.fixture
def small():
    """A recording of one image made by hand: three steps, two layers, two heads."""
    return hand_made()


def hand_made(arm="baseline", image=7, steps=3, layers=(0, 1), **attributes) -> xr.Dataset:
    draw = np.random.default_rng(image)
    cells, heads = (steps, len(layers)), 2
    mass = draw.random((*cells, heads, 6)) + 0.1
    values = {
        "row_entropy": draw.random((*cells, heads)),
        "n_keys": np.full(cells, 9.0) + np.arange(steps)[:, None],
        "mass": mass / mass.sum(-1, keepdims=True),
        "drift_step": draw.random((*cells, 2)),
        "rate": np.full(cells, np.nan),
        "log_probability": -draw.random(steps),
        "token_fed": np.arange(steps),
        "token_predicted": np.arange(steps) + 1,
        "piece_predicted": np.array(["▁a", "é", "."][:steps], dtype=object),
        "n_steps": np.array(steps),
        "caption": np.array("a é.", dtype=object),
    }
    given = dict.fromkeys(ATTRIBUTES, "x") | {"config": json.dumps({"seed": 0, "arms": {arm: None}})} | attributes
    return labelled(values, arm, image, layers, given)


@pytest.fixture
def logged():
    """What is logged meanwhile; pytest's own keeper of it is left out, as it takes its time of every test."""
    messages, handler = [], logging.Handler()
    handler.emit = lambda entry: messages.append(entry.getMessage())
    logging.getLogger().addHandler(handler)
    yield messages
    logging.getLogger().removeHandler(handler)
