import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from gan_keras.drawing import figures, images

X = np.linspace(-4, 4, 161)
DATA = np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)
ARGUMENTS = {
    "x": X,
    "p_data": DATA,
    "p_g": np.where(X < 0, 0.2, 0.05),
    "d": np.full_like(X, 0.25),
    "d_star": np.full_like(X, 0.75),
    "z": np.linspace(-1, 1, 5),
    "g_of_z": np.array([-3.0, -2.0, 0.0, 2.0, 3.0]),
}
EXTENT = (-2, 2, -1, 3)
CENTERS = np.stack(np.meshgrid(np.arange(-1.75, 2, 0.5), np.arange(-0.75, 3, 0.5)), axis=-1)
OPINION = np.linspace(0, 1, 64).reshape(8, 8)
NOWHERE = np.zeros((0, 2))


def rgb(color):
    return np.round(255 * np.array(to_rgb(color))).astype(np.uint8)


def place(box, right, up):
    """Row and column, in pixels, of a place given in shares of an axes' box."""
    left, bottom, width, height = box
    column = figures.WIDTH * (left + width * right)
    return figures.HEIGHT * (1 - bottom - height * up), column


def height(probability):
    """Share of the upper axes at which the line's picture shows a probability."""
    low, high = figures.PROBABILITIES
    return (probability - low) / (high - low)


def where(image, color, box=(0, 0, 1, 1)):
    """Mean row and column of the pixels that have a colour, inside the box."""
    top, left = np.round(place(box, 0, 1)).astype(int)
    bottom, right = np.round(place(box, 1, 0)).astype(int)
    found = np.argwhere((image[top:bottom, left:right] == rgb(color)).all(axis=2))
    return found.mean(axis=0) + np.array([top, left]) + 0.5


@pytest.fixture(scope="module")
def drawn():
    return figures.line(**ARGUMENTS, title="step 10")


def test_a_line_is_a_picture_for_tensorboard(drawn):
    assert drawn.dtype == np.uint8
    assert drawn.shape == (480, 640, 3)


def test_the_discriminators_stand_at_their_heights(drawn):
    """Constant ones are level lines, two pixels wide and more."""
    for color, probability in ((figures.BLUE, 0.25), (figures.ORANGE, 0.75)):
        row, _ = where(drawn, color, figures.CURVES)
        assert_allclose(row, place(figures.CURVES, 0, height(probability))[0], atol=1)


def test_the_histogram_is_filled_to_its_height(drawn):
    """In the units in which p_data's peak is at 0.8."""
    filled = (drawn == rgb(figures.PALE_GREEN)).all(axis=2)
    for x, density in ((-3, 0.2), (3, 0.05)):
        _, column = place(figures.CURVES, (x + 4) / 8, 0)
        top = np.argmax(filled[:, int(column)])
        level = figures.PEAK * density / DATA.max()
        # A line of 1.5 points, two pixels, lies on the upper edge.
        assert_allclose(top, place(figures.CURVES, 0, height(level))[0] + 1, atol=1.5)


def test_the_data_s_peak_is_where_it_says(drawn):
    row, column = place(figures.CURVES, 0.5, height(figures.PEAK))
    patch = drawn[int(row) - 3 : int(row) + 4, int(column) - 4 : int(column) + 5]
    assert (patch == 0).all(axis=2).any()


@pytest.mark.parametrize(("end", "shown"), [(2.0, 2.0), (100.0, 4.0), (-np.inf, -4.0)])
def test_an_arrow_goes_from_z_to_x(end, shown):
    """One arrow from the middle of z; what leaves the grid goes to its border, NaN nowhere."""
    image = figures.line(**{**ARGUMENTS, "z": [7.0], "g_of_z": [end]})
    for up in (0.2, 0.5, 0.8):
        row, column = place(figures.MAPPING, 0.5 + up * shown / 8, up)
        ink = 255.0 - image[int(row), :, 0]
        if np.isfinite(end):
            assert_allclose(np.average(np.arange(640) + 0.5, weights=ink), column, atol=2)
        else:
            assert not ink.any()


def test_without_latents_the_curves_take_all_the_place():
    image = figures.line(**{**ARGUMENTS, "z": [], "g_of_z": []})
    for color, probability in ((figures.BLUE, 0.25), (figures.ORANGE, 0.75)):
        row, _ = where(image, color, figures.CURVES_ALONE)
        assert_allclose(row, place(figures.CURVES_ALONE, 0, height(probability))[0], atol=1)


def test_the_axes_stay_while_the_run_goes_on(drawn):
    """Outside the axes nothing changes but the title; inside everything may."""
    later = {"p_g": 1.2 * DATA, "d": X, "d_star": -X, "g_of_z": 9 * ARGUMENTS["g_of_z"]}
    image = figures.line(**{**ARGUMENTS, **later}, title="step 10")
    outside = np.ones(image.shape[:2], bool)
    for box in (figures.CURVES, figures.MAPPING):
        top, left = np.floor(place(box, 0, 1)).astype(int) - 1
        bottom, right = np.ceil(place(box, 1, 0)).astype(int) + 1
        outside[top:bottom, left:right] = False
    assert_array_equal(image[outside], drawn[outside])
    assert (image != drawn).any()


@pytest.mark.parametrize(("times", "top"), [(1.0, figures.PEAK), (1.2, 0.96), (50.0, 1.0)])
def test_no_peak_is_cut_off(times, top):
    """p_g's peak is at its height in units of p_data's, or at 1 where that would be higher."""
    image = figures.line(**{**ARGUMENTS, "p_g": times * DATA, "p_data": DATA})
    filled = (image == rgb(figures.PALE_GREEN)).all(axis=2)
    _, column = place(figures.CURVES, 0.5, 0)
    # Half a place beside the middle, where no other line is; a step is as wide as 3 pixels.
    assert_allclose(
        np.argmax(filled[:, int(column) - 6 : int(column) + 6].any(axis=1)),
        place(figures.CURVES, 0, height(top))[0] + 1,
        atol=2.5,
    )


def test_the_scale_is_what_the_caller_says(drawn):
    """Densities of half the size over half the peak are the same curves."""
    half = {"p_data": ARGUMENTS["p_data"] / 2, "p_g": ARGUMENTS["p_g"] / 2}
    image = figures.line(**{**ARGUMENTS, **half}, title="step 10", peak=DATA.max() / 2)
    top, left = np.round(place(figures.CURVES, 0, 1)).astype(int)
    bottom, right = np.round(place(figures.CURVES, 1, 0)).astype(int)
    assert_array_equal(image[top:bottom, left:right], drawn[top:bottom, left:right])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_line_is_drawn_of_what_is_finite(name, bad):
    some = np.array(ARGUMENTS[name], copy=True)
    some[::3] = bad
    for values in (some, np.full_like(some, bad)):
        image = figures.line(**{**ARGUMENTS, name: values})
        others = {"d": figures.ORANGE}.get(name, figures.BLUE)
        if name != "x" or values is some:
            assert np.isfinite(where(image, others, figures.CURVES)).all()


@pytest.mark.filterwarnings("error")
def test_a_line_of_constants_and_of_nothing():
    zero = np.zeros(3)
    figures.line(zero, zero, zero, zero, zero, zero, zero)
    empty = np.zeros(0)
    figures.line(empty, empty, empty, empty, empty, empty, empty)


def test_the_arguments_are_left_as_they_were():
    values = np.array([0.0, np.inf, 1.0])
    figures.line(values, values, values, values, values, values, values)
    assert_array_equal(values, [0.0, np.inf, 1.0])


def test_a_title_is_words():
    figures.line(**ARGUMENTS, title="$1 \\frac{ _^")


def test_the_same_again_is_the_same_picture(drawn):
    assert_array_equal(figures.line(**ARGUMENTS, title="step 10"), drawn)
    points = np.random.default_rng(0).normal(size=(50, 2))
    first, second = (figures.plane(points, -points, EXTENT, OPINION, "t") for _ in range(2))
    assert_array_equal(first, second)


def test_every_cell_of_the_plane_has_the_color_of_its_opinion():
    image = figures.plane(NOWHERE, NOWHERE, EXTENT, OPINION)
    for (x, y), d in zip(CENTERS.reshape(-1, 2), OPINION.ravel(), strict=True):
        row, column = _in_plane(x, y)
        assert_array_equal(image[row, column], figures.HEAT(d, bytes=True)[:3])


def _in_plane(x, y):
    # Cells are square, so the axes shrink to a square around their box's center.
    left, bottom, width, height = figures.PLANE
    side = min(width * figures.WIDTH, height * figures.HEIGHT)
    column = figures.WIDTH * (left + width / 2) + side * (x - 0) / 4
    row = figures.HEIGHT * (1 - bottom - height / 2) - side * (y - 1) / 4
    return int(row), int(column)


def test_an_opinion_beyond_0_and_1_is_certain_and_one_that_is_no_number_is_grey():
    d = np.array([[-5.0, 5.0], [np.nan, np.inf]])
    image = figures.plane(NOWHERE, NOWHERE, EXTENT, d)
    assert_array_equal(image[_in_plane(-1, 0)], figures.HEAT(0.0, bytes=True)[:3])
    assert_array_equal(image[_in_plane(1, 0)], figures.HEAT(1.0, bytes=True)[:3])
    for x in (-1, 1):
        assert_array_equal(image[_in_plane(x, 2)], [128, 128, 128])


@pytest.mark.filterwarnings("error")
def test_points_lie_where_they_are_or_on_the_border():
    points = np.array([[1.0, 2.0], [np.nan, 0], [50.0, 0.0]])
    image = figures.plane(-points + 1, points, EXTENT, np.full((2, 2), 0.5))
    for x, y, color in ((1, 2, figures.GREEN), (2, 0, figures.GREEN), (0, -1, "black")):
        row, column = _in_plane(x, y)
        patch = image[row - 2 : row + 3, column - 2 : column + 3]
        near = np.abs(patch.astype(int) - rgb(color)).max(axis=2) <= 10  # the frame shines through
        assert near.sum() >= 4


def test_the_heat_is_even_about_one_half():
    """In CIE lightness both arms darken steadily from the middle, by nearly as much."""
    linear = figures.HEAT(np.arange(118))[:, :3]
    linear = np.where(linear > 0.04045, ((linear + 0.055) / 1.055) ** 2.4, linear / 12.92)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    assert np.all(np.diff(lightness[:59]) > 0)
    assert np.all(np.diff(lightness[59:]) < 0)
    assert lightness.max() > 96
    assert lightness.min() > 65  # black points show everywhere
    assert abs(lightness[0] - lightness[-1]) < 10


def frame(index):
    """A picture of two colours that no other frame has in the same places."""
    picture = np.zeros((12, 40, 3), np.uint8)
    picture[:, index % 40] = (200, 40, 90)
    return picture


def read(path):
    """Frames and their durations in milliseconds."""
    with Image.open(path) as gif:
        pictures, durations = [], []
        for index in range(gif.n_frames):
            gif.seek(index)
            pictures.append(np.asarray(gif.convert("RGB")))
            durations.append(gif.info["duration"])
        return np.stack(pictures), durations, gif.info.get("loop")


def test_a_gif_has_every_frame_its_time_and_no_end(tmp_path):
    frames = [frame(i) for i in range(7)]
    figures.save_gif(tmp_path / "a.gif", frames, seconds_per_frame=0.25, last_seconds=1.5)
    pictures, durations, loop = read(tmp_path / "a.gif")
    # Pillow looks colours up with an error of 3.
    assert_allclose(pictures.astype(int), np.stack(frames), atol=3)
    assert durations == [250] * 6 + [1500]
    assert loop == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.gif"]


def test_a_gif_of_files_is_that_of_their_pictures(tmp_path):
    for index in range(3):
        images.save_png(tmp_path / f"{index}.png", frame(index))
    figures.save_gif(tmp_path / "files.gif", sorted(tmp_path.glob("*.png")))
    figures.save_gif(tmp_path / "arrays.gif", (frame(index) for index in range(3)))
    assert (tmp_path / "files.gif").read_bytes() == (tmp_path / "arrays.gif").read_bytes()


def test_too_many_frames_are_thinned_evenly(tmp_path):
    figures.save_gif(tmp_path / "a.gif", map(frame, range(40)), limit=14)
    pictures, durations, _ = read(tmp_path / "a.gif")
    columns = (pictures[:, 0, :, 0] > 100).argmax(axis=1)
    assert_array_equal(columns, np.arange(0, 40, 3))
    assert durations == [100] * 13 + [2000]


def test_a_gif_of_one_frame_and_of_the_same_twice(tmp_path):
    for frames in ([frame(3)], [frame(3), frame(3)]):
        figures.save_gif(tmp_path / "a.gif", frames)
        pictures, _, _ = read(tmp_path / "a.gif")
        assert_allclose(pictures.astype(int), frame(3)[None], atol=3)


def test_paper_and_ink_keep_their_colors(tmp_path, drawn):
    """A palette of 255 colours for thousands: white and black are exact, the rest is near."""
    figures.save_gif(tmp_path / "a.gif", [drawn])
    ((picture,), _, _) = read(tmp_path / "a.gif")
    for color in ("white", "black"):
        assert (picture[(drawn == rgb(color)).all(axis=2)] == rgb(color)).all()
    assert np.abs(picture.astype(int) - drawn).mean() < 0.5


def test_a_gif_needs_frames_of_one_size(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        figures.save_gif(tmp_path / "a.gif", [])
    with pytest.raises(ValueError, match=r"\(40, 12\) and \(39, 12\)"):
        figures.save_gif(tmp_path / "a.gif", [frame(0), frame(1)[:, 1:]])
    assert list(tmp_path.iterdir()) == []


def test_a_frame_that_cannot_be_read_is_named(tmp_path):
    images.save_png(tmp_path / "whole.png", frame(0))
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    with pytest.raises(OSError, match=r"half\.png"):
        figures.save_gif(tmp_path / "a.gif", [tmp_path / "whole.png", tmp_path / "half.png"])


def test_a_gif_that_fails_keeps_the_older_one(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    path.write_bytes(b"older")

    def full(self, data):
        os.close(os.open(self, os.O_CREAT | os.O_WRONLY))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        figures.save_gif(path, [frame(0)])
    assert path.read_bytes() == b"older"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.gif"]


def test_no_tensorflow_and_no_state_of_pyplot():
    check = (
        "import sys, gan_keras.drawing.figures\n"
        "assert not {'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
