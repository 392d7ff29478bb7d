from __future__ import annotations

from pipeline.models.registry import Registry
from ui.labels import label, meant

RECORDS = Registry.read().records
DEMO, LARGE = RECORDS[0], RECORDS[1]


def test_a_label_tells_what_stands_in_the_way_of_a_model_if_anything_does():
    assert label(DEMO) == label(DEMO, "") == DEMO.name
    assert label(LARGE, "↓ 16.3 GB", "does not fit here") == f"{LARGE.name} · ↓ 16.3 GB · does not fit here"


def test_an_id_a_name_and_a_label_of_before_the_download_mean_the_same_model():
    for chosen in (LARGE.id, LARGE.name, label(LARGE, "↓ 16.3 GB")):
        assert meant(chosen, RECORDS) is LARGE


def test_a_model_that_was_forgotten_is_none():
    assert meant("owner/gone", RECORDS) is None
