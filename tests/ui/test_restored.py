"""What a picture's file says, fitted to what is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from pipeline.gallery.restore import Restored
from pipeline.inputs import ControlUse, Upscale
from pipeline.studio import Studio
from ui import form, restored


@pytest.fixture
def studio(make_settings: Callable[..., Any]) -> Iterator[Studio]:
    """A studio whose engine never starts."""
    studio = Studio(make_settings())
    yield studio
    studio.close()


def into_form(studio: Studio, *, model_name: str = "tiny", **fields: Any) -> restored.Found:
    return restored.into_form(studio, Restored(source="a1111", fields=fields, model_name=model_name), "tiny")


def test_what_the_model_can_do_comes_into_the_form_without_a_note(studio: Studio) -> None:
    found = into_form(studio, prompt="a boat", negative_prompt="fog", seed=7, width=128, height=64, guidance_scale=3.0)
    assert found.notes == ()
    assert form.size_of(found.form) == (128, 64)
    assert (found.form["prompt"], found.form["seed"], found.form["guidance_scale"]) == ("a boat", 7, 3.0)


def test_a_model_is_found_by_any_name_that_means_it(studio: Studio) -> None:
    found = into_form(studio, model_name="SDXL Turbo", prompt="a boat")
    assert found.form["model"] == "stabilityai/sdxl-turbo"
    assert found.notes == ()


@pytest.mark.parametrize("name", ["v1-5-pruned-emaonly-fp32", ""])
def test_an_unknown_model_is_told_and_the_one_of_the_form_is_kept(studio: Studio, name: str) -> None:
    found = into_form(studio, model_name=name, prompt="a boat")
    assert found.form["model"] == "tiny"
    assert "Tiny is used" in found.notes[0]


def test_a_size_that_the_model_cannot_make_is_told_and_its_own_is_taken(studio: Studio) -> None:
    found = into_form(studio, prompt="a boat", width=1000, height=64)
    assert form.size_of(found.form) == (64, 64)
    assert "cannot make a picture with width 1000" in found.notes[0]


def test_what_a_model_ignores_or_cannot_use_is_told(studio: Studio) -> None:
    found = into_form(
        studio, model_name="plain", prompt="a boat", negative_prompt="fog", scheduler="DDIMScheduler", vae="clear"
    )
    told = " ".join(found.notes)
    assert "does not use a negative prompt" in told
    assert "cannot use the scheduler DDIM" in told
    assert "There is no VAE clear" in told
    assert found.form["scheduler"] == form.OWN


def test_a_lora_that_is_not_here_is_named(studio: Studio) -> None:
    found = into_form(studio, prompt="a boat", loras=[{"name": "ink", "weight": 0.5}])
    assert "There is no LoRA ink" in found.notes[0]
    assert found.form["loras"] == []


def test_a_file_without_a_prompt_leaves_the_prompt_empty(studio: Studio) -> None:
    assert into_form(studio, seed=5).form["prompt"] == ""


def test_maps_and_pictures_come_back_where_they_are_kept(studio: Studio) -> None:
    kept, gone = studio.inputs.put(Image.new("RGB", (64, 64))), f"{'a' * 64}-64x64"
    fields = {"image": kept, "strength": 0.4, "controls": (ControlUse(net="demo-canny", image=kept, scale=0.5),)}
    here = restored.into_form(studio, Restored(source="darkroom", fields=fields, model_name="demo"), "tiny")
    assert here.notes == ()
    assert (here.form["image"], here.form["strength"], here.form["map_scale_0"]) == (kept, 0.4, 0.5)
    lost = into_form(studio, **{"image": gone, "strength": 0.4})
    assert lost.form["image"] is None
    assert lost.notes == ("A picture that it was made from is not kept here.",)


def test_a_map_for_a_net_that_is_not_here_is_told(studio: Studio) -> None:
    controls = (ControlUse(net="scribble", image=studio.inputs.put(Image.new("RGB", (64, 64)))),)
    found = restored.into_form(studio, Restored(source="darkroom", fields={"controls": controls}), "demo")
    assert "There is no ControlNet scribble for Darkroom demo." in found.notes
    assert found.form["maps"] == ()


def test_an_enlargement_comes_back_with_its_upscaler_if_that_is_here(studio: Studio) -> None:
    here, gone = (into_form(studio, upscale=Upscale(factor=2, upscaler=name)) for name in ("darkroom-x4", "sharp"))
    assert (here.form["enlarge"], here.form["upscaler"], here.notes) == (2, "darkroom-x4", ())
    assert gone.form["enlarge"] == 1
    assert gone.notes == ("There is no upscaler sharp in the weights folder.",)
