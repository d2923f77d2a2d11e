"""The house: CONTRIBUTING, import-linter and the code say the same."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gan_keras"
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def layers():
    """Sets of rooms, from the top floor down, as import-linter has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    found = next(each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    return [{name.split(".")[1] for name in layer.split(" | ")} for layer in found]


def lines(path):
    return len(path.read_text("utf-8").splitlines())


def test_the_table_is_that_of_import_linter():
    rows = re.findall(r"^\| (\d) \| `(\w+)` \|", TEXT, re.MULTILINE)
    floors = [{room for floor, room in rows if int(floor) == number} for number in range(7, 0, -1)]
    assert floors == layers()


def test_every_package_and_module_has_a_floor():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert modules | ROOMS == set.union(*layers())
    assert len(modules | ROOMS) <= 17
    assert len(layers()) <= 7


def test_no_room_has_more_than_its_share_of_the_lines():
    sizes = {
        room: sum(lines(path) for path in (PACKAGE / room).rglob("*.py")) for room in sorted(ROOMS)
    }
    assert max(sizes.values()) <= 0.15 * sum(lines(path) for path in PACKAGE.rglob("*.py")), sizes


def test_the_walks_lead_to_files():
    walks = TEXT[TEXT.index("## Six walks") : TEXT.index("## Habits")]
    paths = re.findall(r"`(gan_keras/[\w/.]*)`", walks)
    assert len(paths) == 7
    for path in paths:
        assert (ROOT / path).exists(), path


def others_of(path):
    """(room, module or name) of what a file takes from other rooms."""
    own = path.relative_to(PACKAGE).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gan_keras."):
            room = node.module.split(".")[1]
            if room in ROOMS - {own}:
                yield node.module


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_other_rooms_are_entered_by_their_face(room):
    """`from gan_keras.room import ...`, never from a module behind it."""
    for path in (PACKAGE / room).rglob("*.py"):
        for module in others_of(path):
            # Commands take from a room what starts fast, before the rest of it is imported.
            if room != "cli" and module != "gan_keras.config.random_streams":
                assert module.count(".") == 1, f"{path.relative_to(ROOT)} imports {module}"
