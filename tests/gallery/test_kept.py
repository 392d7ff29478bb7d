from pipeline.events import SavedImage
from pipeline.gallery.kept import Kept
from tests.gallery.pictures import make_recipe


def unsaved(number: int) -> SavedImage:
    recipe = make_recipe()
    return SavedImage(
        id=f"{number:016x}", job_id="job", index=number, path=None, recipe=recipe, created_at=recipe.created_at
    )


def test_the_oldest_picture_is_given_up_when_there_are_too_many():
    kept = Kept(limit=2)
    for number in range(3):
        kept.put(unsaved(number), b"png")
    assert [image.index for image in kept.images()] == [1, 2]


def test_putting_a_picture_again_keeps_its_place():
    kept = Kept(limit=2)
    for number in (0, 1, 0, 2):
        kept.put(unsaved(number), b"png")
    assert [image.index for image in kept.images()] == [1, 2]


def test_a_dropped_picture_is_gone_and_dropping_it_twice_is_fine():
    kept = Kept()
    kept.put(unsaved(1), b"png")
    kept.drop(unsaved(1).id)
    kept.drop(unsaved(1).id)
    assert kept.get(unsaved(1).id) is None


def test_a_picture_changes_hands_with_its_bytes_and_what_was_changed_of_it():
    kept, deleted = Kept(), Kept()
    kept.put(unsaved(1), b"png")
    kept.update(unsaved(1).id, {"rating": 3})
    kept.update(unsaved(2).id, {"rating": 3})
    assert kept.hand_over(unsaved(1).id, deleted, deleted=True)
    assert not kept.hand_over(unsaved(1).id, deleted, deleted=True)
    image, png = deleted.get(unsaved(1).id)
    assert (image.rating, image.deleted, png) == (3, True, b"png")
    assert kept.images() == []
