"""Draws coloured shapes into class folders: pictures to try the package on, where none are at hand.

Each class is a sub-folder of PNG files in colour, 32x32 unless SIZE says otherwise: circles,
crosses, squares, stars and triangles, of any colour, size and place, slightly turned, on a
background of another colour.

Usage: python scripts/make_shapes.py FOLDER [COUNT [SIZE]]
       gan-keras-train --dataset=folder:FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE, FINER = 32, 4  # Pixels; drawn so many times as large, for smooth edges.
COUNT = 2000  # Of all classes together.
SEED = 0
LEAST_CONTRAST = 200  # Sum of the differences of red, green and blue.
MOST_TURNED = np.pi / 12


def polygon(corners, inner=1.0, turn=0.0):
    """Corners of a regular polygon, or of a star whose every second corner is nearer."""
    angles = np.arange(corners) * 2 * np.pi / corners + turn
    radii = np.where(np.arange(corners) % 2, inner, 1.0)
    return np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)


ARM = 0.35
CORNER = np.array([(ARM, 1.0), (ARM, ARM), (1.0, ARM)])  # Of a cross, upper right.
SHAPES = {
    "circle": polygon(40),
    "cross": np.concatenate(
        [CORNER, CORNER[::-1] * (1, -1), CORNER * (-1, -1), CORNER[::-1] * (-1, 1)]
    ),
    "square": polygon(4, turn=np.pi / 4),
    "star": polygon(10, inner=0.45),
    "triangle": polygon(3),
}


def draw(shape, size, random):
    """Returns one picture of a shape, PIL's RGB, of size x size pixels."""
    while True:
        ground, colour = random.integers(256, size=(2, 3))
        if np.abs(ground - colour).sum() >= LEAST_CONTRAST:
            break
    large = size * FINER
    radius = random.uniform(0.22, 0.42) * large
    place = random.uniform(radius, large - radius, size=2)
    turn = random.uniform(-MOST_TURNED, MOST_TURNED)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    picture = Image.new("RGB", (large, large), tuple(map(int, ground)))
    corners = place + radius * SHAPES[shape] @ rotation
    ImageDraw.Draw(picture).polygon([tuple(corner) for corner in corners], tuple(map(int, colour)))
    return picture.resize((size, size), Image.Resampling.BOX)


def main(folder, count=COUNT, size=SIZE):
    random = np.random.default_rng(SEED)
    for number in range(int(count)):
        shape = sorted(SHAPES)[number % len(SHAPES)]
        path = Path(folder, shape, f"{number:05}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(shape, int(size), random).save(path)
    print(f"{folder}: {count} pictures of {len(SHAPES)} classes")
    print(f"next: gan-keras-train --dataset=folder:{folder}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__.split("\n\n")[-1].rstrip())
    main(*sys.argv[1:])
