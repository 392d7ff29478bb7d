import pytest

from pipeline.errors import BadSettings, InvalidRequest, UnknownModel
from pipeline.models.registry import ModelRecord, Registry
from pipeline.request import parse_request
from tests.conftest import write_models

SHIPPED = Registry.read()


def record(**changes) -> ModelRecord:
    return ModelRecord.model_validate(SHIPPED.find("demo").model_dump() | changes)


# -- what ships


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


@pytest.mark.parametrize("name", ["", "  ", "nope", "../demo"])
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


def test_a_setting_that_the_model_ignores_gets_a_sentence():
    request = parse_request(prompt="x", negative_prompt="fog")
    assert record(negative_prompt=False, name="Plain").ignored(request) == [
        "Plain does not use a negative prompt; it is ignored."
    ]
    assert record(negative_prompt=True).ignored(request) == []
    assert record(negative_prompt=False).ignored(parse_request(prompt="x")) == []
