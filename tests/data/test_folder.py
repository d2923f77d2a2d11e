import os

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gan_keras import data
from gan_keras.data import pictures
from gan_keras.errors import UsageError

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def plain(color, size=(8, 8), mode="RGB"):
    return Image.new(mode, size, color)


def load(folder_config, folder, **fields):
    """All images in the order of the files' paths."""
    images = data.load(folder_config(folder, **fields))
    return images, images.rows.read(np.arange(images.count))


def save(picture, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)


def test_pictures_of_all_kinds_in_the_order_of_their_paths(tmp_path, folder_config):
    save(plain((10, 20, 30)), tmp_path / "a.png")
    save(plain((40, 50, 60)), tmp_path / "cats" / "b.webp", lossless=True)
    save(plain((70, 80, 90)), tmp_path / "cats" / "deep" / "c.JPG", quality=100)
    save(plain((1, 2, 3)), tmp_path / "dogs" / "d.jpeg", quality=100)
    (tmp_path / "notes.txt").write_text("no picture")
    save(plain((6, 7, 8)), tmp_path / "e.gif")
    save(plain(RED), tmp_path / ".hidden.png")
    save(plain(RED), tmp_path / ".thumbnails" / "f.png")
    images, pixels = load(folder_config, tmp_path)
    assert (images.count, images.shape) == (5, (4, 4, 3))
    assert images.skipped == []
    # JPEG may round a colour by one.
    expected = [(10, 20, 30), (40, 50, 60), (70, 80, 90), (1, 2, 3), (6, 7, 8)]
    np.testing.assert_allclose(pixels[:, 0, 0], expected, atol=1)
    np.testing.assert_array_equal(pixels[:2, 0, 0], expected[:2])


def test_a_picture_of_the_wanted_size_keeps_its_pixels(tmp_path, folder_config):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    save(Image.fromarray(noise), tmp_path / "a.png")
    _, pixels = load(folder_config, tmp_path, image_size=8)
    np.testing.assert_array_equal(pixels, [noise])


def test_the_centre_is_cut_out_and_resized(tmp_path, folder_config):
    wide = plain(GREEN, (40, 20))
    wide.paste(RED, (10, 0, 30, 20))  # The square at the centre.
    save(wide, tmp_path / "wide.png")
    save(wide.transpose(Image.Transpose.ROTATE_90), tmp_path / "tall.png")
    _, pixels = load(folder_config, tmp_path)
    # The filter looks a little beyond the cut; a cut beside the centre would make 51.
    np.testing.assert_allclose(pixels, np.full((2, 4, 4, 3), RED), atol=20)


def test_a_large_jpeg_is_resized_as_well_as_a_png(tmp_path, folder_config):
    """The decoder's own reduction, which saves time, leaves a picture all but unchanged."""
    waves = np.sin(np.linspace(0, 9, 512))
    grey = np.rint(127.5 + 100 * np.outer(waves, waves)).astype(np.uint8)
    for name in ("a.jpg", "b.png"):
        save(Image.fromarray(grey), tmp_path / name, quality=98)
    _, (jpeg, png) = load(folder_config, tmp_path, image_size=32, channels=1)
    np.testing.assert_allclose(jpeg.astype(int), png, atol=3)


def test_a_photo_is_turned_upright(tmp_path, folder_config):
    picture = plain(GREEN)
    picture.paste(RED, (0, 0, 8, 4))  # Red above green.
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned clockwise by 90 degrees.
    save(picture.transpose(Image.Transpose.ROTATE_90), tmp_path / "a.png", exif=exif)
    _, pixels = load(folder_config, tmp_path, image_size=8)
    np.testing.assert_array_equal(pixels, [np.asarray(picture)])


def test_transparent_pictures_lie_on_white(tmp_path, folder_config):
    save(plain((255, 0, 0, 0), mode="RGBA"), tmp_path / "a-rgba.png")
    save(plain((0, 0, 0, 51), mode="RGBA"), tmp_path / "b-part.png")
    save(plain((0, 0), mode="LA"), tmp_path / "c-la.png")
    palette = plain(0, mode="P")
    palette.putpalette([0, 0, 0])
    save(palette, tmp_path / "d-palette.png", transparency=0)
    save(plain(RED), tmp_path / "e-key.png", transparency=RED)
    _, pixels = load(folder_config, tmp_path, image_size=8)
    part = (204, 204, 204)  # 255 (1 - 51/255)
    np.testing.assert_array_equal(pixels[:, 0, 0], [WHITE, part, WHITE, WHITE, WHITE])


def test_other_modes_become_colour(tmp_path, folder_config):
    palette = plain(1, mode="P")
    palette.putpalette([0, 0, 0, *RED])
    save(palette, tmp_path / "a-palette.png")
    save(plain((0, 255, 255, 0), mode="CMYK"), tmp_path / "b-cmyk.jpg", quality=100)
    save(plain(1, mode="1"), tmp_path / "c-bits.png")
    deep = np.full((8, 8), 257 * 100, np.uint16)
    save(Image.fromarray(deep), tmp_path / "d-16bit.png")
    _, pixels = load(folder_config, tmp_path, image_size=8)
    expected = [RED, RED, WHITE, (100, 100, 100)]
    np.testing.assert_allclose(pixels[:, 4, 4], expected, atol=2)


def test_grey_is_made_of_colour_and_colour_of_grey(tmp_path, folder_config):
    save(plain((10, 20, 30)), tmp_path / "a.png")
    save(plain(77, mode="L"), tmp_path / "b.png")
    _, grey = load(folder_config, tmp_path, channels=1)
    # The luma of ITU-R 601: 0.299 R + 0.587 G + 0.114 B.
    np.testing.assert_array_equal(grey[:, 0, 0], [[round(2.99 + 11.74 + 3.42)], [77]])
    _, colour = load(folder_config, tmp_path, channels=3)
    np.testing.assert_array_equal(colour[1, 0, 0], (77, 77, 77))


def test_broken_files_are_named_counted_and_skipped(tmp_path, folder_config, capsys, monkeypatch):
    save(plain(RED), tmp_path / "a.png")
    (tmp_path / "b.jpg").write_text("no picture at all")
    (tmp_path / "c.png").write_bytes(b"")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    noise.save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "d.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "e.png").symlink_to(tmp_path / "nowhere.png")
    monkeypatch.setattr(pictures, "MAX_PIXELS", 64 * 64)
    save(plain(RED, (65, 64)), tmp_path / "f.png")
    images, pixels = load(folder_config, tmp_path)
    assert images.count == len(pixels) == 2
    assert [name for name, _ in images.skipped] == ["b.jpg", "c.png", "d.png", "e.png", "f.png"]
    errors = capsys.readouterr().err.splitlines()
    assert "skipped b.jpg: no picture of the formats GIF, JPEG, PNG, WEBP" in errors
    assert "skipped e.png: No such file or directory" in errors
    assert "skipped f.png: more than 4,096 pixels" in errors
    assert errors[-1] == f"folder:{tmp_path}: skipped 5 of 7 files"
    assert len(errors) == 6


def test_the_skipped_files_of_a_kept_preparation_are_told_again(tmp_path, folder_config, capsys):
    save(plain(RED), tmp_path / "pictures" / "a.png")
    (tmp_path / "pictures" / "b.png").write_text("broken")
    told = []
    for _ in range(2):
        images = data.load(folder_config(tmp_path / "pictures"), cache_dir=tmp_path / "cache")
        told.append((images.count, images.skipped, capsys.readouterr().err))
    assert told[0] == told[1]
    assert told[0][0] == 1


def test_a_changed_picture_is_prepared_anew(tmp_path, folder_config):
    path = tmp_path / "pictures" / "a.png"
    for color, time in ((RED, 1), (GREEN, 2)):
        save(plain(color), path)
        os.utime(path, (time, time))
        images = data.load(folder_config(tmp_path / "pictures"), cache_dir=tmp_path / "cache")
        np.testing.assert_array_equal(images.first(1)[0, 0, 0], color)


def test_linked_folders_are_followed_but_not_in_a_circle(tmp_path, folder_config):
    save(plain(RED), tmp_path / "elsewhere" / "a.png")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cats").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "pictures")
    images, _ = load(folder_config, tmp_path / "pictures")
    assert images.count == 1


def test_relative_paths_and_the_home_folder(tmp_path, folder_config, monkeypatch):
    save(plain(RED), tmp_path / "mine" / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(folder_config, "mine")[0].count == 1
    assert load(folder_config, "~/mine")[0].count == 1


def test_many_chunks_keep_the_order(painted, folder_config, monkeypatch):
    monkeypatch.setattr(pictures, "CHUNK", 5)
    _, pixels = load(folder_config, painted)
    np.testing.assert_array_equal(pixels[:, 0, 0, 0], np.arange(23) * 10)


def test_a_picture_with_much_text_is_no_bomb_but_broken(tmp_path, folder_config):
    """Pillow refuses PNG text that unpacks to megabytes; the other pictures are still read."""
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a" * 2**21, zip=True)
    save(plain(RED), tmp_path / "a.png", pnginfo=text)
    save(plain(GREEN), tmp_path / "b.png")
    images, _ = load(folder_config, tmp_path)
    assert [name for name, _ in images.skipped] == ["a.png"]
    assert images.count == 1


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "folder not found; give a folder of pictures"),
        (lambda path: path.write_text(""), "not a folder; give a folder of pictures"),
        (lambda path: path.mkdir(), "no gif, jpg, jpeg, png, webp files in .*; name a folder"),
        (
            lambda path: save(Image.new("L", (1, 1)), path / "a.bmp"),
            "no gif, jpg, jpeg, png, webp files",
        ),
    ],
)
def test_a_folder_without_pictures_is_refused(tmp_path, folder_config, make, problem):
    make(tmp_path / "x")
    with pytest.raises(UsageError, match=f"^--dataset=folder:{tmp_path}/x: {problem}") as caught:
        data.load(folder_config(tmp_path / "x"))
    assert "\n" not in str(caught.value)


def test_a_folder_of_broken_pictures_is_refused(tmp_path, folder_config):
    (tmp_path / "a.png").write_text("broken")
    problem = "none of the 1 picture files can be read, as a.png: no picture .*; choose another"
    for cache_dir in (None, tmp_path / "cache"):
        with pytest.raises(UsageError, match=problem):
            data.load(folder_config(tmp_path), cache_dir=cache_dir)


def test_an_empty_path_and_a_bare_folder_are_explained(tmp_path, folder_config):
    with pytest.raises(UsageError, match="--dataset=folder:: no folder named; give"):
        data.load(folder_config(""))
    with pytest.raises(UsageError, match="--dataset=folder:~nobody-here/x: folder not found; give"):
        data.load(folder_config("~nobody-here/x"))
    with pytest.raises(UsageError, match="xx: folder not found; give"):
        data.load(folder_config("x" * 5000))
    bare = folder_config("x").__class__(dataset=str(tmp_path))
    with pytest.raises(UsageError, match=f"is named with --dataset=folder:{tmp_path}$"):
        data.load(bare)


def test_sub_folders_are_the_classes(tmp_path, folder_config):
    """In the order of their names; a broken picture has no label, and cannot shift others."""
    save(plain(RED), tmp_path / "b" / "1.png")
    save(plain(RED), tmp_path / "a" / "deep" / "2.png")
    (tmp_path / "b" / "0.png").write_text("broken")
    save(plain(RED), tmp_path / "c" / "0.png")
    for cache_dir in (None, tmp_path / ".cache", tmp_path / ".cache"):
        images = data.load(folder_config(tmp_path), cache_dir=cache_dir)
        assert images.count == 3
        np.testing.assert_array_equal(images.labels(), [0, 1, 2])
        assert images.labels().dtype == np.int64
        assert images.class_names == ["a", "b", "c"]
    assert data.class_names(folder_config(tmp_path)) == ["a", "b", "c"]


def test_a_class_whose_name_is_no_text_is_refused(tmp_path, folder_config):
    """Before anything is read: no file of names could hold it. Without labels it is no matter."""
    save(plain(RED), tmp_path / "a" / "1.png")
    save(plain(RED), tmp_path / os.fsdecode(b"b\xff") / "1.png")
    with pytest.raises(UsageError, match=r"its sub-folder b\\udcff is not UTF-8.*; rename it"):
        data.class_names(folder_config(tmp_path))
    assert data.load(folder_config(tmp_path)).count == 2


def test_every_class_has_its_share_of_what_is_held_out(tmp_path, folder_config):
    for number in range(20):
        save(plain(RED), tmp_path / ("a" if number < 15 else "b") / f"{number}.png")
    wanted = folder_config(tmp_path, held_out=4)
    kept, held = (data.load(wanted, split) for split in ("train", "validation"))
    assert np.bincount(held.labels()).tolist() == [3, 1]
    assert np.bincount(kept.labels()).tolist() == [12, 4]


def test_a_picture_beside_the_sub_folders_leaves_no_classes(tmp_path, folder_config):
    save(plain(RED), tmp_path / "a" / "1.png")
    save(plain(RED), tmp_path / "b.png")
    with pytest.raises(UsageError, match=r"has no classes; choose .* all in sub-folders"):
        data.labels(folder_config(tmp_path))
    with pytest.raises(UsageError, match=r"has no classes; choose .* all in sub-folders"):
        data.class_names(folder_config(tmp_path))
    with pytest.raises(UsageError, match="has no split `test`"):
        data.load(folder_config(tmp_path), "test")
    assert not data.has_test(folder_config(tmp_path))
