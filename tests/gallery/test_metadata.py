import io

import pytest
from PIL import Image, PngImagePlugin
from sd_parsers import ParserManager

from pipeline.events import Picture
from pipeline.gallery.metadata import SAMPLERS, a1111_text, encode_png, read_origin, read_recipe
from pipeline.recipe import HostedUse
from tests.gallery.pictures import ORIGIN, make_picture, make_recipe

SETTING_KEYS = ("Sampler", "CFG scale", "Seed", "Steps", "ENSD", "Schedule type")


def read_like_other_tools(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and settings, by the rules of readers of the A1111 format."""
    lines = text.split("\n")
    last = max(place for place, line in enumerate(lines) if sum(key + ":" in line for key in SETTING_KEYS) >= 3)
    before = "\n".join(lines[:last])
    parts = before.split("Negative prompt:")
    assert len(parts) <= 2, "readers fail at a second negative prompt"
    pairs = [piece.split(":") for piece in lines[last].split(",")]
    assert all(len(pair) == 2 for pair in pairs), f"readers drop what is not one key and one value: {pairs}"
    settings = {key.strip(): value.strip() for key, value in pairs}
    return parts[0].strip(), parts[1].strip() if len(parts) == 2 else "", settings


def with_chunks(**chunks: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in chunks.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_a_png_gives_back_the_recipe_it_was_made_with():
    picture = make_picture(prompt="日本の庭, ein Häuschen 🏠\nzweite Zeile", guidance_scale=0.0)
    assert read_recipe(encode_png(picture, ORIGIN)) == picture.recipe


def test_a_png_gives_back_its_id_job_and_index():
    assert read_origin(encode_png(make_picture(), ORIGIN)) == ORIGIN


def test_the_pixels_in_the_png_are_those_of_the_picture():
    picture = make_picture()
    with Image.open(io.BytesIO(encode_png(picture, ORIGIN))) as image:
        assert (image.mode, image.size) == ("RGB", (16, 8))
        assert image.tobytes() == picture.rgb


def test_pillow_reads_all_three_chunks_as_text():
    picture = make_picture()
    with Image.open(io.BytesIO(encode_png(picture, ORIGIN))) as image:
        text = image.text
    assert text["darkroom"] == picture.recipe.model_dump_json()
    assert text["parameters"] == a1111_text(picture.recipe)
    assert text["darkroom-id"] == ORIGIN.model_dump_json()


def test_pixels_of_the_wrong_size_are_refused():
    with pytest.raises(ValueError, match="not enough image data"):
        encode_png(Picture(index=0, rgb=b"123", recipe=make_recipe()), ORIGIN)


def test_the_a1111_text_is_written_in_the_standard_order():
    assert a1111_text(make_recipe(prompt="a house\non a hill")) == (
        "a house\non a hill\n"
        "Negative prompt: fog\n"
        "Steps: 28, Sampler: Euler, Schedule type: Automatic, CFG scale: 4.5, Seed: 42, Size: 16x8, "
        "Model hash: b940f670f0, Model: stabilityai/stable-diffusion-3.5-medium, Version: Darkroom"
    )


def test_local_weights_are_named_by_the_beginning_of_their_digest():
    recipe = make_recipe(model_revision=f"sha256:{'0123456789abcdef' * 4}")
    assert read_like_other_tools(a1111_text(recipe))[2]["Model hash"] == "0123456789"


def test_a_variation_is_written_as_other_tools_name_it():
    settings = read_like_other_tools(a1111_text(make_recipe(variation_seed=7, variation_strength=0.25)))[2]
    assert (settings["Variation seed"], settings["Variation seed strength"]) == ("7", "0.25")


@pytest.mark.parametrize("unused", [{}, {"variation_seed": 7, "variation_strength": 0.0}])
def test_without_a_variation_nothing_is_said_of_one(unused: dict[str, object]):
    assert "Variation" not in a1111_text(make_recipe(**unused))


def test_an_empty_negative_prompt_leaves_no_line():
    assert "Negative" not in a1111_text(make_recipe(negative_prompt=""))


@pytest.mark.parametrize(("guidance", "shown"), [(7.0, "7"), (0.0, "0"), (4.5, "4.5")])
def test_guidance_is_written_as_a_person_would(guidance: float, shown: str):
    assert read_like_other_tools(a1111_text(make_recipe(guidance_scale=guidance)))[2]["CFG scale"] == shown


def test_words_of_the_format_in_the_prompts_do_not_mislead_readers():
    trap = "Steps: 1, Sampler: x, Seed: 2, CFG scale: 3"
    recipe = make_recipe(
        prompt=f"a sign: Negative prompt: none\n{trap}",
        negative_prompt=f"NEGATIVE PROMPT: Negative prompt: blur\n{trap}",
    )
    prompt, negative, settings = read_like_other_tools(a1111_text(recipe))
    assert prompt == f"a sign: Negative prompt : none\n{trap}"
    assert negative == f"NEGATIVE PROMPT : Negative prompt : blur\n{trap}"
    assert settings["Seed"] == "42"


def test_commas_colons_and_newlines_in_a_model_name_do_not_break_the_settings():
    settings = read_like_other_tools(a1111_text(make_recipe(model="org/a, b:c\nSeed: 7\u2028x")))[2]
    assert settings["Model"] == "org/a- b-c-Seed- 7-x"
    assert settings["Seed"] == "42"


@pytest.mark.parametrize(
    ("scheduler", "sampler"),
    [
        ("EulerAncestralDiscreteScheduler", "Euler a"),
        ("DPMSolverMultistepScheduler", "DPM++ 2M"),
        ("FlowMatchEulerDiscreteScheduler", "Euler"),
        ("SomethingNewScheduler", "SomethingNew"),
    ],
)
def test_the_sampler_has_the_name_that_other_tools_know(scheduler: str, sampler: str):
    assert read_like_other_tools(a1111_text(make_recipe(scheduler=scheduler)))[2]["Sampler"] == sampler


def test_every_sampler_name_survives_the_format():
    for scheduler, sampler in SAMPLERS.items():
        assert read_like_other_tools(a1111_text(make_recipe(scheduler=scheduler)))[2]["Sampler"] == sampler


def test_the_schedule_follows_the_scheduler_configuration():
    recipe = make_recipe(scheduler_config={"use_karras_sigmas": True})
    assert read_like_other_tools(a1111_text(recipe))[2]["Schedule type"] == "Karras"


@pytest.mark.parametrize(
    "foreign",
    [b"", b"not a picture", with_chunks(), with_chunks(parameters="a cat\nSteps: 1"), with_chunks(darkroom="{}")],
    ids=["empty", "text", "plain PNG", "PNG of another tool", "PNG with a broken recipe"],
)
def test_what_carries_no_recipe_reads_as_none(foreign: bytes):
    assert read_recipe(foreign) is None
    assert read_origin(foreign) is None


def test_a_jpeg_with_a_png_name_reads_as_none(tmp_path):
    path = tmp_path / "x.png"
    Image.new("RGB", (4, 4)).save(path, "JPEG")
    assert read_recipe(path) is None


@pytest.mark.parametrize("bad_id", ["../../etc/passwd", "", "0123456789ABCDEF"])
def test_an_id_that_we_never_give_out_is_not_believed(bad_id: str):
    chunk = ORIGIN.model_dump_json().replace(ORIGIN.id, bad_id)
    assert read_origin(with_chunks(**{"darkroom-id": chunk})) is None


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_recipe(tmp_path / "none.png")


def hosted_recipe(**changes):
    used = HostedUse(provider="The Mill: Co.", host="mill.invalid", model="wheel-1", **changes)
    unknown = {"num_inference_steps": 0, "guidance_scale": 0.0, "scheduler": "", "model_revision": ""}
    return make_recipe(model="mill/wheel", hosted=used, options={"quality": "high"}, **unknown)


def test_of_a_hosted_picture_other_tools_read_who_made_it_and_no_settings_that_there_were_none_of():
    prompt, negative, settings = read_like_other_tools(a1111_text(hosted_recipe()))
    assert (prompt, negative) == ("a red house by the sea", "fog")
    assert settings == {
        "Steps": "0",
        "Sampler": "hosted",
        "Seed": "-1",
        "Size": "16x8",
        "Model": "mill/wheel",
        "Provider": "The Mill- Co.",
        "Version": "Darkroom",
    }


def test_a_seed_that_was_sent_to_a_provider_is_told():
    assert read_like_other_tools(a1111_text(hosted_recipe(seeded=True)))[2]["Seed"] == "42"


def test_an_independent_reader_of_the_format_finds_a_hosted_picture():
    picture = Picture(index=0, rgb=bytes(16 * 8 * 3), recipe=hosted_recipe())
    found = ParserManager().parse(io.BytesIO(encode_png(picture, ORIGIN)))
    assert found is not None
    assert [sampler.name for sampler in found.samplers] == ["hosted"]
