import pytest
from pydantic import ValidationError

from pipeline.errors import InvalidRequest
from pipeline.recipe import Recipe
from pipeline.request import MAX_IMAGES, MAX_PROMPT_CHARACTERS, MAX_SEED, GenerationRequest, parse_request
from tests.gallery.pictures import make_recipe


def test_only_a_prompt_is_needed_and_the_rest_is_the_models_choice():
    request = parse_request(prompt="a house")
    assert (request.model, request.num_inference_steps, request.guidance_scale) == (None, None, None)
    assert (request.seed, request.num_images, request.negative_prompt) == (-1, 1, "")


def test_zero_guidance_is_a_value():
    assert parse_request(prompt="x", guidance_scale=0.0).guidance_scale == 0.0


def test_spaces_around_a_prompt_do_not_count():
    assert parse_request(prompt="  a house \n").prompt == "a house"


@pytest.mark.parametrize("prompt", ["", "   ", "\n"])
def test_an_empty_prompt_is_refused_with_a_next_step(prompt):
    with pytest.raises(InvalidRequest) as caught:
        parse_request(prompt=prompt)
    assert caught.value.info.sentence == "The prompt is empty. Describe the picture that you want."
    assert caught.value.info.field == "prompt"


def test_a_missing_prompt_reads_like_an_empty_one():
    with pytest.raises(InvalidRequest, match="The prompt is empty"):
        parse_request()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_inference_steps", 0),
        ("num_inference_steps", 1001),
        ("num_inference_steps", 2.5),
        ("guidance_scale", -0.1),
        ("guidance_scale", float("nan")),
        ("guidance_scale", float("inf")),
        ("width", 63),
        ("height", 8193),
        ("seed", -2),
        ("seed", MAX_SEED + 1),
        ("num_images", 0),
        ("num_images", MAX_IMAGES + 1),
        ("variation_strength", -0.1),
        ("variation_strength", 1.1),
        ("variation_strength", float("nan")),
        ("variation_seed", -2),
        ("variation_seed", MAX_SEED + 1),
        ("quantization", "nf5"),
        ("offload", "moon"),
    ],
)
def test_a_value_outside_its_range_names_its_field(field, value):
    with pytest.raises(InvalidRequest, match=f"^{field} cannot be ") as caught:
        parse_request(prompt="x", **{field: value})
    assert caught.value.info.field == field
    assert caught.value.info.remedy


def test_a_prompt_that_is_too_long_names_the_limit():
    with pytest.raises(InvalidRequest, match=f"longer than {MAX_PROMPT_CHARACTERS} characters"):
        parse_request(prompt="x" * (MAX_PROMPT_CHARACTERS + 1))


def test_an_unknown_setting_is_refused_instead_of_ignored():
    with pytest.raises(InvalidRequest, match="cfg is not a setting"):
        parse_request(prompt="x", cfg=7)


def test_a_long_wrong_value_is_shortened_in_the_message():
    with pytest.raises(InvalidRequest) as caught:
        parse_request(prompt="x", seed="9" * 1000)
    assert len(caught.value.info.message) < 100


def test_every_picture_of_a_request_has_a_seed_that_can_be_asked_for():
    assert parse_request(prompt="x", seed=MAX_SEED - 1, num_images=2).num_images == 2
    with pytest.raises(InvalidRequest, match=f"last picture .* choose at most {MAX_SEED - 1}") as caught:
        parse_request(prompt="x", seed=MAX_SEED, num_images=2)
    assert caught.value.info.field == "seed"


def test_variations_share_their_seed_and_count_that_of_the_variation():
    strength = {"prompt": "x", "variation_strength": 0.2, "num_images": 2}
    assert parse_request(**strength, seed=MAX_SEED, variation_seed=MAX_SEED - 1).seed == MAX_SEED
    with pytest.raises(InvalidRequest, match=f"last picture .* variation_seed .* at most {MAX_SEED - 1}") as caught:
        parse_request(**strength, seed=1, variation_seed=MAX_SEED)
    assert caught.value.info.field == "variation_seed"


def test_without_a_strength_the_seed_of_the_variation_does_not_matter():
    assert parse_request(prompt="x", variation_seed=MAX_SEED, num_images=2).variation_strength == 0


def test_a_request_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        parse_request(prompt="x").seed = 1


def test_a_request_survives_json():
    request = parse_request(prompt="日本 🏠", guidance_scale=0.0, seed=MAX_SEED)
    assert GenerationRequest.model_validate_json(request.model_dump_json()) == request


def test_every_field_describes_itself():
    assert all(field.description for field in GenerationRequest.model_fields.values())


def test_a_recipe_becomes_the_request_that_makes_the_picture_again():
    recipe = make_recipe(guidance_scale=0.0, seed=MAX_SEED, width=512, height=64)
    request = recipe.to_request()
    for field in GenerationRequest.model_fields.keys() - {"num_images", "variation_seed", "then"}:
        assert getattr(request, field) == getattr(recipe, field)
    assert (request.num_images, request.variation_seed) == (1, -1)


def test_a_recipe_of_a_variation_becomes_the_request_of_just_that_one():
    request = make_recipe(width=64, height=64, seed=5, variation_seed=0, variation_strength=0.25).to_request()
    assert (request.seed, request.variation_seed, request.variation_strength) == (5, 0, 0.25)


def test_a_recipe_from_before_there_were_variations_is_none():
    older = make_recipe(width=64, height=64).model_dump(
        mode="json", exclude={"variation_seed", "variation_strength", "load_seconds"}
    )
    recipe = Recipe.model_validate(older)
    assert (recipe.variation_seed, recipe.variation_strength, recipe.load_seconds) == (None, 0.0, 0.0)
    assert recipe.to_request().variation_strength == 0


def test_a_recipe_becomes_a_request_with_changes():
    assert make_recipe(width=512, height=64).to_request(seed=7, num_images=2).seed == 7


def test_a_recipe_survives_json_and_newer_fields():
    recipe = make_recipe()
    assert Recipe.from_json(recipe.model_dump_json()) == recipe
    assert Recipe.from_json(recipe.model_dump_json()[:-1] + ', "later": 1}') == recipe


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"format": 2}'])
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(ValidationError):
        Recipe.from_json(text)
