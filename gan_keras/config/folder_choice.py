"""From what is in a folder of pictures to the fields of a run on it, each with its reason."""

FIELDS = ("image_size", "channels", "conditional", "augment", "augment_target", "r1_weight")
SIZES = (16, 28, 32, 64)
# Fewer pictures than this say too little of a class to learn it by its label.
LEAST_OF_A_CLASS = 10
# With fewer D learns them by heart. More are better seen as they are: of 2,000 coloured shapes G
# made pale ones where D saw them augmented, and good ones where it did not (docs/results.md).
ENOUGH = 1_000
# Kinds and target of Karras et al. 2020, https://arxiv.org/abs/2006.06676: places and colours help,
# holes do not.
AUGMENTATION, TARGET = "color,translation", 0.6
# Numbers in a picture of 32x32 in colour, where a weight of 1 is right. What an eye sees as one
# difference is a longer way in a larger picture, and D's slope along it less: at 64x64 a weight of
# 1 left D so far ahead that G never filled some places, and one of 4 did not (docs/results.md).
NUMBERS_AT_WEIGHT_1 = 32 * 32 * 3


def choose(survey, held_out=0, image_size=None, channels=None):
    """Chooses what the pictures decide; the rest is the preset's, `pictures`.

    Args:
        survey: What is in the folder, a `data.survey.Survey`.
        held_out: How many of its pictures are not trained on.
        image_size, channels: What the run has, if that is not left to the folder.

    Returns:
        Dict from a field to its value and the reason, in words for a person.
    """
    fitting = [size for size in SIZES if size <= survey.side] or SIZES[:1]
    sizes = ", ".join(map(str, SIZES))
    size = f"the largest of {sizes} that is not above the median shorter side, {survey.side}"
    if survey.side > SIZES[-1]:
        size += "; --image_size=128 takes four times as long"
    colours = f"{survey.coloured} of {survey.looked_at} pictures looked at have colours"
    image_size = image_size or fitting[-1]
    channels = channels or (3 if survey.coloured else 1)
    return {
        "image_size": (image_size, size),
        "channels": (channels, colours),
        "conditional": _conditional(survey.classes),
        **_augmentation(survey.count - held_out),
        "r1_weight": (
            round(image_size**2 * channels / NUMBERS_AT_WEIGHT_1, 2),
            f"in proportion to the numbers in a picture, {image_size}x{image_size}x{channels}; "
            "1 at 32x32x3",
        ),
    }


def _augmentation(count):
    if count >= ENOUGH:
        why = f"{count:,} pictures are enough without"
        return {"augment": ("", why), "augment_target": (0.0, why)}
    why = f"{count:,} pictures are few, and D would know them all"
    return {
        "augment": (AUGMENTATION, why),
        "augment_target": (TARGET, "no more of that than keeps D from being too sure"),
    }


def _conditional(classes):
    if not classes:
        return False, "not all pictures are in sub-folders, which would be their classes"
    if len(classes) < 2:
        return False, "there is one sub-folder only"
    name, least = min(classes.items(), key=lambda item: item[1])
    if least < LEAST_OF_A_CLASS:
        return False, f"of class {name} there are only {least} pictures"
    return True, f"{len(classes)} sub-folders, each with {least:,} pictures or more"
