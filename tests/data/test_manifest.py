"""What a run gets that goes on after its pictures were changed."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan_keras import data
from gan_keras.config import config as configs
from gan_keras.data import manifest as record
from gan_keras.errors import UserError
from gan_keras.training import run as training


def paint(path, level):
    Image.new("RGB", (4, 4), (level,) * 3).save(path)


def levels(images):
    return images.rows.read(np.arange(images.count))[:, 0, 0, 0].tolist()


@pytest.fixture
def begun(painted, folder_config, tmp_path):
    """The Config of a run that has begun, its folder of pictures, and what it keeps."""
    paint(painted / "note.png", 0)
    (painted / "note.png").write_text("broken")
    config, kept = folder_config(painted), tmp_path / "run" / "data"
    data.load(config, cache_dir=kept)
    return config, painted, kept


def add(folder):
    paint(folder / "new.png", 99)


def remove(folder):
    (folder / "03.png").unlink()


def edit(folder):
    before = os.stat(folder / "05.png")
    paint(folder / "05.png", 51)
    # Of the same length perhaps, but of another time, by a nanosecond.
    os.utime(folder / "05.png", ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def rename(folder):
    (folder / "22.png").rename(folder / "-.png")


def everything(folder):
    for change in (add, remove, edit, rename):
        change(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (add, "1 added: new.png"),
        (remove, "1 removed: 03.png"),
        (edit, "1 edited: 05.png"),
        (rename, "1 added, 1 removed: -.png, 22.png"),
        (everything, "2 added, 2 removed, 1 edited: -.png, new.png, 03.png and 2 more"),
    ],
)
def test_it_goes_on_with_what_it_began_with(begun, caplog, change, told):
    config, folder, kept = begun
    change(folder)
    caplog.clear()
    images = data.load(config, cache_dir=kept, resumes=True)
    assert levels(images) == [10 * i for i in range(23)]
    assert [name for name, _ in images.skipped] == ["note.png"]
    assert caplog.messages == [
        f"folder:{folder}: has changed since this run began ({told}); using the images "
        f"kept in {kept}; another --workdir trains on the new ones",
        "skipped note.png: no picture of the formats GIF, JPEG, PNG, WEBP",
        f"folder:{folder}: skipped 1 of 24 files",
    ]
    # It is still so the next time.
    assert levels(data.load(config, cache_dir=kept, resumes=True)) == levels(images)


def test_what_is_not_changed_is_not_told(begun, caplog):
    config, _, kept = begun
    caplog.clear()
    data.load(config, cache_dir=kept, resumes=True)
    assert "has changed" not in caplog.text


def test_a_run_without_a_step_takes_the_pictures_as_they_are(begun, caplog):
    """Who mends the broken files that the first start told of must not need another folder."""
    config, folder, kept = begun
    everything(folder)
    caplog.clear()
    assert levels(data.load(config, cache_dir=kept)) == levels(data.load(config))
    assert "has changed" not in caplog.text
    # And is held to these from then on.
    (folder / "07.png").unlink()
    assert 70 in levels(data.load(config, cache_dir=kept, resumes=True))


def test_without_what_was_kept_it_is_refused(begun):
    config, folder, kept = begun
    remove(folder)
    for file in kept.glob("*.uint8"):
        file.unlink()
    problem = (
        rf"^--dataset=folder:{folder}: has changed since this run began \(1 removed: 03.png\); "
        "restore it as it was, or train into another --workdir$"
    )
    with pytest.raises(UserError, match=problem):
        data.load(config, cache_dir=kept, resumes=True)


def test_damage_to_what_was_kept_of_changed_pictures_is_named(begun):
    """It cannot be made again from others; of unchanged ones tests/data/test_prepare.py tells."""
    config, folder, kept = begun
    (pixels,) = kept.glob("*.uint8")
    pixels.write_bytes(bytes(pixels.stat().st_size))
    remove(folder)
    problem = (
        rf"^--dataset=folder:{folder}: what the run keeps of its images is corrupt, and they have "
        "changed since it began; restore them as they were, or train into another --workdir$"
    )
    for _ in range(2):
        with pytest.raises(UserError, match=problem):
            data.load(config, cache_dir=kept, resumes=True)


def test_a_record_with_a_flipped_bit_is_not_believed(begun):
    config, _, kept = begun
    content = bytearray((kept / record.FILE).read_bytes())
    content[content.index(b"03.png")] ^= 1
    (kept / record.FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"images\.json: corrupt .*delete it$"):
        data.load(config, cache_dir=kept, resumes=True)


def test_labels_are_those_of_the_beginning(tmp_path, folder_config):
    for number, name in enumerate("aabbcc"):
        (tmp_path / "pictures" / name).mkdir(parents=True, exist_ok=True)
        paint(tmp_path / "pictures" / name / f"{number}.png", number)
    config = folder_config(tmp_path / "pictures")
    data.load(config, cache_dir=tmp_path / "run")
    shutil.rmtree(tmp_path / "pictures" / "a")
    images = data.load(config, cache_dir=tmp_path / "run", resumes=True)
    assert levels(images) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(images.labels(), [0, 0, 1, 1, 2, 2])


def test_an_older_run_has_no_record_and_gets_one(begun):
    config, _, kept = begun
    (kept / record.FILE).unlink()
    data.load(config, cache_dir=kept, resumes=True)
    assert (kept / record.FILE).exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100_000, "\xff", '{"dataset": "x", "identity": 1, "files": []}']
    + ['{"dataset": "x", "identity": "y", "files": ' + rows + "}" for rows in ("1", "[1]", "[[]]")],
)
def test_a_damaged_record_is_named_in_one_line(begun, text):
    config, _, kept = begun
    (kept / record.FILE).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"images\.json: corrupt .*delete it$") as caught:
        data.load(config, cache_dir=kept, resumes=True)
    assert "\n" not in str(caught.value)


def test_a_record_that_cannot_be_written_is_named(painted, folder_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"images\.json: cannot be written: Not a directory; "):
        data.load(folder_config(painted), cache_dir=tmp_path / "file" / "data")


@pytest.mark.faults
def test_a_run_whose_pictures_change_ends_where_an_undisturbed_one_does(painted, tmp_path):
    """Bit by bit, the networks and both optimizers."""

    def weights(workdir, *until):
        for steps in until:
            config = configs.from_preset(
                "pictures",
                dataset=f"folder:{painted}",
                image_size=8,
                channels=1,
                network="mlp",
                width=8,
                latent_dim=4,
                batch_size=8,
                steps=steps,
                learning_rate_schedule="constant",
            )
            training.train(config, workdir)
            if steps != until[-1]:
                everything(painted)
        reader = tf.train.load_checkpoint(workdir / "checkpoints")
        # How often was saved is not of the run.
        beside = ("_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE")
        names = reader.get_variable_to_shape_map().keys() - set(beside)
        return {name: reader.get_tensor(name) for name in names}

    whole = weights(tmp_path / "whole", 12)
    halves = weights(tmp_path / "halves", 5, 12)
    assert len(whole) > 20
    assert whole.keys() == halves.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(halves[name], value, err_msg=name)
