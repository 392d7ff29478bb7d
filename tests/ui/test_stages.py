"""The stages of a chain as fields of the form."""

from __future__ import annotations

from pipeline.models.registry import Registry
from pipeline.request import parse_request
from ui import form, stages

REGISTRY = Registry.read()
DEMO, TURBO, KANDINSKY = (REGISTRY.find(name) for name in ("demo", "sdxl-turbo", "kandinsky-2-2-decoder"))
CHAIN = parse_request(
    prompt="a boat",
    model=TURBO.id,
    then=[
        {"model": KANDINSKY.id, "strength": 0.4, "prompt": "a boat in oil", "upscale": {"factor": 2}},
        {"model": DEMO.id, "strength": 0.6, "num_inference_steps": 9, "scheduler": "FlowMatchHeunDiscreteScheduler"},
    ],
)


def test_a_form_filled_from_a_chain_asks_for_the_same_again() -> None:
    filled = form.filled(CHAIN, TURBO, 4_194_304)
    assert form.to_request(filled, TURBO).then == CHAIN.then


def test_what_has_no_control_stays_and_is_told() -> None:
    filled = form.filled(CHAIN, TURBO, 4_194_304)
    assert stages.unseen(filled, 1) == "enlarged × 2"
    assert stages.unseen(filled, 2) == "scheduler FlowMatchHeunDiscreteScheduler"


def test_a_stage_that_is_taken_out_leaves_the_others_as_they_are() -> None:
    filled = form.filled(CHAIN, TURBO, 4_194_304)
    assert form.to_request(filled | stages.without(filled, 1), TURBO).then == CHAIN.then[1:]
    assert form.to_request(filled | stages.without(filled, 2), TURBO).then == CHAIN.then[:1]


def test_a_new_stage_says_nothing_but_its_model_and_the_usual_strength() -> None:
    blank = form.blank(TURBO) | stages.blank(1, KANDINSKY.id) | {"stages": 1, "prompt": "a boat"}
    [stage] = form.to_request(blank, TURBO).then
    assert stage.model_dump(exclude_defaults=True) == {"model": KANDINSKY.id, "strength": 0.6}


def test_only_models_that_can_take_a_picture_are_offered() -> None:
    offered = stages.offered(REGISTRY.records)
    assert {DEMO.id, TURBO.id, KANDINSKY.id} <= {record.id for record in offered}
    assert all("image" in record.pipelines for record in offered)
    assert len(offered) < len(REGISTRY.records)
