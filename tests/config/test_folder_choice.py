"""What a folder of pictures decides, and why."""

import pytest

from gan_keras.config import folder_choice, from_preset
from gan_keras.data.survey import Survey


def values(**fields):
    found = Survey(
        **{"count": 100, "side": 70, "looked_at": 9, "coloured": 9, "classes": {}} | fields
    )
    return {name: value for name, (value, _) in folder_choice.choose(found).items()}


def reasons(**fields):
    found = Survey(
        **{"count": 100, "side": 70, "looked_at": 9, "coloured": 9, "classes": {}} | fields
    )
    return {name: reason for name, (_, reason) in folder_choice.choose(found).items()}


@pytest.mark.parametrize(
    ("side", "size"),
    [(8, 16), (16, 16), (27, 16), (28, 28), (31, 28), (63, 32), (64, 64), (999, 64)],
)
def test_the_size_is_one_that_the_pictures_have(side, size):
    assert values(side=side)["image_size"] == size
    from_preset("pictures", dataset="folder:/x", **values(side=side))
    assert ("--image_size=128" in reasons(side=side)["image_size"]) == (side > 64)


def test_every_field_has_a_choice_and_a_reason():
    assert tuple(values()) == folder_choice.FIELDS
    assert all(reasons().values())


@pytest.mark.parametrize(("coloured", "channels"), [(0, 1), (1, 3), (9, 3)])
def test_one_picture_in_colour_makes_it_colour(coloured, channels):
    assert values(coloured=coloured)["channels"] == channels


@pytest.mark.parametrize(
    ("classes", "conditional", "reason"),
    [
        ({}, False, "not all pictures are in sub-folders"),
        ({"cat": 100}, False, "one sub-folder only"),
        ({"cat": 91, "dog": 9}, False, "of class dog there are only 9 pictures"),
        ({"cat": 90, "dog": 10}, True, "2 sub-folders, each with 10 pictures or more"),
    ],
)
def test_sub_folders_are_classes_if_each_has_enough(classes, conditional, reason):
    assert values(classes=classes)["conditional"] is conditional
    assert reason in reasons(classes=classes)["conditional"]


@pytest.mark.parametrize(("count", "augmented"), [(300, True), (999, True), (1000, False)])
def test_few_pictures_are_augmented(count, augmented):
    assert bool(values(count=count)["augment"]) is augmented
    assert bool(values(count=count)["augment_target"]) is augmented
    from_preset("pictures", dataset="folder:/x", **values(count=count))


def test_pictures_that_are_held_out_do_not_count():
    found = Survey(count=2_300, side=64, looked_at=9, coloured=9, classes={})
    assert not folder_choice.choose(found)["augment"][0]
    value, reason = folder_choice.choose(found, held_out=2_000)["augment"]
    assert value
    assert reason.startswith("300 pictures are few")


@pytest.mark.parametrize(
    ("side", "coloured", "given", "weight"),
    [
        (32, 9, {}, 1.0),
        (64, 9, {}, 4.0),
        (64, 0, {}, 1.33),
        (28, 0, {}, 0.26),
        (64, 9, {"image_size": 32}, 1.0),
        (32, 9, {"image_size": 128}, 16.0),
        (32, 9, {"channels": 1}, 0.33),
    ],
)
def test_the_penalty_grows_with_the_numbers_in_a_picture(side, coloured, given, weight):
    found = Survey(count=2_000, side=side, looked_at=9, coloured=coloured, classes={})
    assert folder_choice.choose(found, **given)["r1_weight"][0] == weight


def test_the_preset_has_the_penalty_of_its_size():
    config = from_preset("pictures", dataset="folder:/x")
    given = {"image_size": config.image_size, "channels": config.channels}
    found = Survey(count=2_000, side=8, looked_at=9, coloured=0, classes={})
    assert folder_choice.choose(found, **given)["r1_weight"][0] == config.r1_weight
