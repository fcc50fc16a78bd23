"""The command on four scenes, with few cells."""

import pytest

from analysis.ablation.config import AblationConfig
from analysis.cells import planning

SMALL = {"images": 4, "batch_size": 4, "max_new_tokens": 6, "workers": 1, "fluent": 0}


@pytest.fixture
def config(tmp_path, half_subject, monkeypatch, few_resamples):
    monkeypatch.setattr(planning, "load_subject", lambda *_: half_subject)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- ablation -->\nold\n<!-- /ablation -->\nafter\n")
    return AblationConfig(
        out=tmp_path / "out", store=tmp_path / "store", page=page, policies=("permuted",), places=("both", "keys"), **SMALL
    )
