import io
import json
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import InvalidRequest
from pipeline.gallery import exif
from pipeline.gallery.metadata import SAMPLERS, a1111_text, encode_png
from pipeline.gallery.restore import Restored, read_settings
from pipeline.inputs import Upscale
from pipeline.recipe import ControlUsed, HostedUse
from pipeline.request import MAX_SEED, GenerationRequest, LoraUse
from tests.gallery.pictures import ORIGIN, make_picture, make_recipe

A1111 = (
    "a red fox in the snow, (detailed fur:1.2), <lora:soft_light:0.8> [blurry]\n"
    "at dawn\n"
    "Negative prompt: (worst quality:1.4), text,\n"
    "watermark\n"
    "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 4241197616, Size: 512x768, Model hash: d7e2ac2f4a, "
    "Model: dreamy_v4, VAE hash: 735e4c3a44, VAE: vae-ft-mse-840000.safetensors, Denoising strength: 0.4, "
    "Clip skip: 2, Hires upscale: 2, Hires steps: 15, Hires upscaler: R-ESRGAN 4x+, "
    'Lora hashes: "soft_light: 1a2b3c4d5e6f, other: 6f5e4d3c2b1a", Version: v1.6.0'
)
FORGE = (
    "portrait in a yellow raincoat, neon reflections\n"
    "Steps: 25, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 42, "
    "Size: 896x1152, Model hash: d5d1e2a8b0, Model: flux1-dev-Q8_0, Version: f2.0.1v1.10.1-previous-313-g8a042934, "
    "Module 1: ae, Module 2: clip_l, Module 3: t5xxl_fp16"
)
SD_NEXT = (
    "<lora:lemons-000005:1.0>an old man on a beach,  <lora:detail:0.5>\n"
    "Negative prompt: \n"
    "Steps: 30, Size: 832x1216, Sampler: UniPC, Seed: 3873706916, CFG scale: 6, CFG rescale: 0.7, Model: sdxl_v24, "
    "Model hash: 07b985d12f, App: SD.Next, Version: cb0eb55, Backend: Diffusers, Parser: native, "
    'Pipeline: StableDiffusionXLPipeline, Operations: txt2img, LoRA networks: "lemons-000005, detail"'
)
FOOOCUS = (
    "a cat in a garden, cinematic\n"
    "Negative prompt: unrealistic\n"
    "Steps: 30, Sampler: DPM++ 2M SDE Karras, CFG scale: 4.0, Seed: 7, Size: 1152x896, Sharpness: 2.0, "
    'ADM Guidance: "(1.5, 0.8, 0.3)", Model: juggernautXL_v8, Model hash: aeb7e9e689, Performance: Speed, '
    "Styles: \"['Fooocus V2', 'Fooocus Sharp']\", Scheduler: karras, Raw prompt: a cat in a garden, Version: v2.5.5"
)
COMFY = (
    "1girl, red hair\n\n"
    "Negative prompt: bad quality\n"
    "Steps: 28, Sampler: dpmpp_2m_karras, CFG scale: 3.5, Seed: 209437280461280, Size: 896x1152, Model: flan_v40, "
    "Version: ComfyUI"
)
TILED = (
    "two people\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 768x512, "
    'Tiled Diffusion: {"Method": "MultiDiffusion", "Region control": {"Region 1": {"prompt": "a, b: c"}}}, '
    'Civitai resources: [{"type":"checkpoint","modelVersionId":1},{"type":"lora","weight":0.6}], Civitai metadata: {}'
)


def png(**texts: str) -> bytes:
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read(text: str) -> Restored:
    return read_settings(png(parameters=text))


def line(**settings: object) -> str:
    """A text with the usual settings and these."""
    usual = {"Steps": 20, "Sampler": "Euler a", "CFG scale": 7, "Seed": 1, "Size": "512x512"} | settings
    return "a house\n" + ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in usual.items())


def told(restored: Restored, word: str) -> list[str]:
    return [note for note in restored.notes if word in note]


def test_a_picture_of_ours_gives_back_every_setting_and_has_nothing_to_say():
    picture = make_picture(width=512, height=256, variation_seed=7, variation_strength=0.5)
    png_bytes = encode_png(picture.__class__(index=0, rgb=bytes(512 * 256 * 3), recipe=picture.recipe), ORIGIN)
    restored = read_settings(png_bytes)
    assert (restored.source, restored.notes, restored.model_name) == ("darkroom", (), picture.recipe.model)
    assert GenerationRequest(**restored.fields) == picture.recipe.to_request()


def test_a_picture_of_ours_gives_back_the_pictures_that_it_was_made_from():
    kept = f"{'a' * 64}-64x64"
    use = ControlUsed(net="demo-canny", image=kept, scale=0.5, sha256="b" * 64)
    worked = {"image": kept, "strength": 0.4, "fit": "pad", "mask": kept, "mask_feather": 3, "controls": (use,)}
    made = make_picture(work_size=(64, 64), **worked)
    restored = read_settings(encode_png(made, ORIGIN))
    assert restored.notes == ()
    assert GenerationRequest(**restored.fields) == made.recipe.to_request()


def test_an_enlarged_picture_of_ours_gives_back_its_size_before_and_the_enlargement():
    upscale = Upscale(factor=2, upscaler="darkroom-x4")
    picture = make_picture(work_size=(256, 256), upscale=upscale)
    restored = read_settings(encode_png(picture, ORIGIN))
    assert restored.fields["upscale"] == upscale
    assert (restored.fields["width"], restored.fields["height"]) == (256, 256)


def test_our_recipe_wins_over_the_text_beside_it():
    recipe = make_recipe(width=512, height=512)
    restored = read_settings(png(darkroom=recipe.model_dump_json(), parameters=A1111))
    assert restored.fields["prompt"] == recipe.prompt


def test_a_damaged_recipe_falls_back_to_the_text_and_says_so():
    restored = read_settings(png(darkroom='{"format": 2}', parameters=A1111))
    assert restored.source == "a1111"
    assert restored.notes[0].startswith("Its recipe is damaged")


def test_values_of_our_own_recipe_that_nobody_could_ask_for_are_left_out_and_named():
    restored = read_settings(png(darkroom=make_recipe(seed=-5, guidance_scale=1e9, width=1).model_dump_json()))
    assert restored.fields.keys().isdisjoint({"seed", "guidance_scale", "width", "height"})
    assert told(restored, "The seed “-5”")
    assert told(restored, "Guidance “1000000000.0”")
    assert told(restored, "The width “1”")


def test_our_own_text_without_the_recipe_gives_back_what_it_says():
    recipe = make_recipe(
        width=512, height=768, scheduler="UniPCMultistepScheduler", variation_seed=9, variation_strength=0.25
    )
    restored = read(a1111_text(recipe))
    expected = recipe.to_request().model_dump(exclude={"model", "quantization", "offload", "vae", "loras"})
    assert {name: expected[name] for name in restored.fields} == restored.fields
    assert {"seed", "variation_seed", "variation_strength", "scheduler", "width"} <= restored.fields.keys()
    assert restored.notes == ()
    assert restored.model_name == recipe.model


def test_a_text_of_a1111_is_read_with_its_lines_weights_and_loras():
    restored = read(A1111)
    assert restored.fields == {
        "prompt": "a red fox in the snow, (detailed fur:1.2), [blurry]\nat dawn",
        "negative_prompt": "(worst quality:1.4), text,\nwatermark",
        "loras": (LoraUse(name="soft_light", weight=0.8),),
        "num_inference_steps": 28,
        "guidance_scale": 6.5,
        "seed": 4241197616,
        "width": 512,
        "height": 768,
        "scheduler": "DPMSolverMultistepScheduler",
        "vae": "vae-ft-mse-840000",
    }
    assert (restored.source, restored.model_name) == ("a1111", "dreamy_v4")


def test_what_a1111_did_besides_is_reported_in_sentences():
    assert read(A1111).notes == (
        "The noise schedule “Karras” cannot be chosen; the model's own is used.",
        "Only the first pass is restored; the picture was then enlarged (Denoising strength: 0.4, Hires upscale: 2, "
        "Hires steps: 15, Hires upscaler: R-ESRGAN 4x+).",
        "The text encoders are always read as the model's makers meant it, so this is left out (Clip skip: 2).",
        "Other programs draw other noise from a seed: expect a similar picture, not the same one.",
    )


def test_a_text_of_forge_gives_the_distilled_guidance():
    restored = read(FORGE)
    assert restored.fields["guidance_scale"] == 3.5
    assert (restored.fields["width"], restored.fields["height"]) == (896, 1152)
    assert not told(restored, "Module")
    assert not told(restored, "two guidances")


def test_two_guidances_that_both_count_are_reported():
    assert told(read(FORGE.replace("CFG scale: 1,", "CFG scale: 4,")), "two guidances")


def test_a_text_of_sd_next_is_read_whatever_the_order_of_its_settings():
    restored = read(SD_NEXT)
    assert restored.fields["prompt"] == "an old man on a beach"
    assert restored.fields["scheduler"] == "UniPCMultistepScheduler"
    assert [(use.name, use.weight) for use in restored.fields["loras"]] == [("lemons-000005", 1.0), ("detail", 0.5)]
    assert "negative_prompt" not in restored.fields
    assert told(restored, "CFG rescale: 0.7") == ["Not understood, and left out: CFG rescale: 0.7."]


def test_a_text_of_fooocus_is_read():
    restored = read(FOOOCUS)
    assert (restored.fields["guidance_scale"], restored.fields["width"]) == (4.0, 1152)
    assert "scheduler" not in restored.fields
    assert told(restored, "sampler “DPM++ 2M SDE”")
    assert told(restored, "noise schedule “Karras”")
    assert told(restored, "Sharpness: 2.0, ADM Guidance: (1.5, 0.8, 0.3)")


def test_a_seed_of_64_bits_is_left_out_and_reported():
    restored = read(COMFY)
    assert "seed" not in restored.fields
    assert restored.fields["scheduler"] == "DPMSolverMultistepScheduler"
    assert told(restored, "209437280461280")
    assert not told(restored, "other noise")


def test_values_that_are_json_end_where_the_json_ends():
    restored = read(TILED)
    assert told(restored, "Not understood") == [
        'Not understood, and left out: Tiled Diffusion: {"Method": "MultiDiffusion", "Region co….'
    ]


def test_variations_are_restored():
    restored = read(line(Variation_seed=405047501, Variation_seed_strength=0.05))
    assert (restored.fields["variation_seed"], restored.fields["variation_strength"]) == (405047501, 0.05)


def test_a_variation_of_strength_zero_is_none():
    restored = read(line(Variation_seed=405047501, Variation_seed_strength=0))
    assert restored.fields.keys().isdisjoint({"variation_seed", "variation_strength"})


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [
        ("DPM++ 2M", "DPMSolverMultistepScheduler"),
        ("DPM++ 2M Exponential", "DPMSolverMultistepScheduler"),
        ("euler_ancestral", "EulerAncestralDiscreteScheduler"),
        ("Euler A", "EulerAncestralDiscreteScheduler"),
        ("DPM2 a Karras", "KDPM2AncestralDiscreteScheduler"),
        ("PLMS", "PNDMScheduler"),
        ("LCM", "LCMScheduler"),
    ],
)
def test_a_sampler_becomes_the_scheduler_that_does_the_same(sampler: str, scheduler: str):
    assert read(line(Sampler=sampler)).fields["scheduler"] == scheduler


def test_every_sampler_that_we_write_is_read_back():
    for scheduler, sampler in SAMPLERS.items():
        restored = read(line(Sampler=sampler))
        assert scheduler in (restored.fields.get("scheduler"), *restored.schedulers)


@pytest.mark.parametrize("sampler", ["DPM++ 3M SDE", "Restart", "DPM++ 2S a Karras", "Karras"])
def test_a_sampler_without_counterpart_is_reported(sampler: str):
    restored = read(line(Sampler=sampler))
    assert "scheduler" not in restored.fields
    assert told(restored, "no counterpart of the sampler")


def test_a_sampler_that_stands_for_two_schedulers_is_settled_by_the_model():
    restored = read(line(Sampler="Euler"))
    assert "scheduler" not in restored.fields
    assert restored.scheduler_for(["PNDMScheduler", "EulerDiscreteScheduler"]) == "EulerDiscreteScheduler"
    assert restored.scheduler_for(["FlowMatchEulerDiscreteScheduler"]) == "FlowMatchEulerDiscreteScheduler"
    assert restored.scheduler_for(["LCMScheduler"]) is None


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ({"Steps": 0}, "num_inference_steps"),
        ({"Steps": "many"}, "num_inference_steps"),
        ({"CFG scale": "nan"}, "guidance_scale"),
        ({"CFG scale": 101}, "guidance_scale"),
        ({"Seed": MAX_SEED + 1}, "seed"),
        ({"Size": "9000x512"}, "width"),
        ({"Size": "9000x512"}, "height"),
        ({"Size": "wide"}, "width"),
        ({"Variation seed": 1, "Variation seed strength": 1.5}, "variation_strength"),
    ],
)
def test_a_value_that_cannot_be_asked_for_is_left_out_and_named(setting: dict[str, object], field: str):
    restored = read(line(**setting))
    assert field not in restored.fields
    assert any(str(value) in note for value in setting.values() for note in restored.notes) or told(restored, "height")


@pytest.mark.parametrize(
    ("prompt", "kept", "loras"),
    [
        ("<lora:one:0.7> a cat", "a cat", [("one", 0.7)]),
        ("a cat, <lora:one:1>, <lora:two:-0.5>, best", "a cat, best", [("one", 1.0), ("two", -0.5)]),
        ("a cat <lora:one>", "a cat", [("one", 1.0)]),
        ("a cat <lora:styles/one.safetensors:0.5:0.2>", "a cat", [("one", 0.5)]),
        ("a cat <lora:one:te=0.5:unet=0.3>", "a cat", [("one", 0.5)]),
        ("a cat <lora:one:1,0,0,1>", "a cat", [("one", 1.0)]),
        ("a cat <lora:one:1> <lora:one:0.5>", "a cat", [("one", 1.0)]),
        ("a cat <3 dogs", "a cat <3 dogs", []),
        ("a cat <hypernet:old:1>", "a cat", []),
    ],
)
def test_loras_are_taken_out_of_the_prompt(prompt: str, kept: str, loras: list[tuple[str, float]]):
    restored = read(line().replace("a house", prompt))
    assert restored.fields["prompt"] == kept
    assert [(use.name, use.weight) for use in restored.fields.get("loras", ())] == loras


def test_more_loras_than_can_take_part_are_named():
    tags = " ".join(f"<lora:number-{place}:1>" for place in range(10))
    restored = read(line().replace("a house", f"a cat {tags}"))
    assert len(restored.fields["loras"]) == 8
    assert told(restored, "“number-8”")
    assert told(restored, "“number-9”")


@pytest.mark.parametrize("syntax", ["[a cat:a dog:0.5]", "a cat AND a dog", "a cat BREAK a dog"])
def test_instructions_in_the_prompt_are_kept_as_words_and_reported(syntax: str):
    restored = read(line().replace("a house", syntax))
    assert restored.fields["prompt"] == syntax
    assert told(restored, "as an instruction")


def test_a_prompt_longer_than_can_be_asked_for_is_cut_and_reported():
    restored = read(line().replace("a house", "word " * 1000))
    assert len(restored.fields["prompt"]) <= 4000
    assert told(restored, "cut after 4000 characters")


def test_lines_below_the_settings_belong_to_them():
    restored = read(line() + "\nTemplate: a {house|tent}\nNegative Template: fog")
    assert restored.fields["prompt"] == "a house"
    assert not told(restored, "Template")


def test_words_that_look_like_settings_in_the_prompt_stay_there():
    prompt = "a sign: Steps: 1\nSize: large"
    assert read(line().replace("a house", prompt)).fields["prompt"] == prompt


def test_a_text_with_a_prompt_alone_gives_the_prompt():
    restored = read("just a prompt, nothing else")
    assert restored.fields == {"prompt": "just a prompt, nothing else"}


def test_every_other_setting_is_named_in_some_sentence():
    odd = {"Face restoration": "CodeFormer", "RP Active": "True", "ADetailer model": "face_yolov8n.pt", "ENSD": 31337}
    notes = " ".join(read(line(**odd)).notes)
    assert all(f"{key}: {value}" in notes for key, value in odd.items())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_jpegs_and_webps_of_other_programs_are_read(kind: str, order: str):
    block = Image.Exif()
    block.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.encode(order)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind, exif=block)
    assert read_settings(buffer.getvalue()) == read(A1111)


def test_exif_inside_a_png_is_read_too():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", exif=exif.write(A1111, ""))
    assert read_settings(buffer.getvalue()) == read(A1111)


@pytest.mark.parametrize(
    ("texts", "program"),
    [
        ({"prompt": '{"3": {}}', "workflow": "{}"}, "ComfyUI"),
        ({"invokeai_metadata": "{}"}, "InvokeAI"),
        ({"parameters": '{"sui_image_params": {}}'}, "another program"),
        ({"parameters": '{"adm_guidance": 1}', "fooocus_scheme": "fooocus"}, "Fooocus"),
    ],
)
def test_settings_in_a_form_that_is_not_read_are_told_by_their_program(texts: dict[str, str], program: str):
    with pytest.raises(InvalidRequest, match=f"settings of {program}"):
        read_settings(png(**texts))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


TEXT_BOMB = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(80_000_000)))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"a text that somebody called .png", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (png(parameters=A1111)[:60], "no settings|not a picture"),
        (png(), "carries no settings"),
        (png(parameters="  "), "carries no settings"),
        (raw_png(60_000, 60_000), "too large"),
        (raw_png(8, 8, TEXT_BOMB), "too large|carries no settings"),
        (png(parameters="a" * 300_000), "too long"),
    ],
    ids=["empty", "text", "cut", "cut later", "plain", "blank", "pixel bomb", "text bomb", "long text"],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(data: bytes, sentence: str):
    with pytest.raises(InvalidRequest, match=sentence):
        read_settings(data)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        line() + ", X: " + "[" * 100_000,
        line() + ', X: "' + "\\" * 50_001,
        line() + ", X: {" * 30_000,
        line() + ', X: "a"' * 20_000,
        "a" + " " * 150_000 + ": b\n" + line(),
        "<lora:" * 30_000 + line(),
        "[:" * 90_000 + "\n" + line(),
        line().replace("a house", "<lora:" + "x" * 290 + ":1>"),
        line(Steps="9" * 5000, Seed="1e400", Size="1" * 3000),
        "\0\x1b[31m\u202e" + line(),
    ],
    ids=range(11),
)
def test_hostile_texts_are_read_or_refused_quickly(text: str):
    try:
        restored = read(text)
    except InvalidRequest:
        return
    GenerationRequest(**({"prompt": "any"} | restored.fields))
    assert all(len(note) < 60_000 for note in restored.notes)


@pytest.mark.parametrize("text", [A1111, FORGE, SD_NEXT, FOOOCUS, COMFY, TILED])
def test_however_a_text_is_cut_what_remains_is_valid(text: str):
    for end in range(1, len(text), 11):
        restored = read(text[:end])
        GenerationRequest(**({"prompt": "any"} | restored.fields))
        assert all(note.endswith(".") for note in restored.notes)


def test_restored_settings_can_be_kept_as_json():
    restored = read(A1111)
    assert json.loads(restored.model_dump_json())["fields"]["loras"] == [{"name": "soft_light", "weight": 0.8}]


def hosted_fields(**changes):
    """A recipe as of a provider's picture."""
    used = HostedUse(provider="The Mill", host="mill.invalid", model="wheel-1", **changes)
    unknown = {"num_inference_steps": 0, "guidance_scale": 0.0, "scheduler": "", "model_revision": ""}
    return {"model": "mill/wheel", "hosted": used, "options": {"quality": "high"}, "work_size": (96, 64)} | unknown


def test_of_a_hosted_picture_all_comes_back_that_its_model_has():
    found = read_settings(encode_png(make_picture(**hosted_fields()), ORIGIN))
    assert found.notes == ()
    assert (found.fields["model"], found.fields["options"]) == ("mill/wheel", {"quality": "high"})
    assert (found.fields["width"], found.fields["height"]) == (96, 64)
    gone = {"num_inference_steps", "guidance_scale", "scheduler", "quantization", "offload", "seed"}
    assert not gone & found.fields.keys()


def test_steps_and_guidance_that_were_asked_of_a_provider_come_back():
    told = hosted_fields() | {"num_inference_steps": 12, "guidance_scale": 3.5}
    fields = read_settings(encode_png(make_picture(**told), ORIGIN)).fields
    assert (fields["num_inference_steps"], fields["guidance_scale"]) == (12, 3.5)


def test_a_seed_that_was_sent_to_a_provider_comes_back():
    found = read_settings(encode_png(make_picture(**hosted_fields(seeded=True)), ORIGIN))
    assert found.fields["seed"] == 42


def test_the_text_of_a_hosted_picture_alone_gives_back_what_it_says_of_it():
    text = a1111_text(make_recipe(**hosted_fields(), width=64, height=128))
    found = read(text)
    assert (found.notes, found.model_name, found.schedulers) == ((), "mill/wheel", ())
    assert found.fields == {
        "prompt": "a red house by the sea",
        "negative_prompt": "fog",
        "seed": -1,
        "width": 64,
        "height": 128,
    }
