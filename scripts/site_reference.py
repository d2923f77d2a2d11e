"""A hook of MkDocs: pages of the reference, and a warning for each public name without docstring.

`strict` makes the warning an error.
"""

import logging
from pathlib import Path

import griffe
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
# Pages, and the modules that each has: the faces of CONTRIBUTING's rooms, and what stands behind
# one that is entered by the names of its modules.
MODULES = {
    "gan_keras": ["gan_keras"],
    "config": ["gan_keras.config", "gan_keras.config.random_streams"],
    "theory": ["gan_keras.theory"],
    "networks": ["gan_keras.networks"],
    "game": ["gan_keras.game", "gan_keras.game.losses"],
    "data": ["gan_keras.data"],
    "training": ["gan_keras.training"],
    "evaluation": ["gan_keras.evaluation"],
    "metrics": [
        f"gan_keras.metrics.{name}"
        for name in ("frechet", "kid", "neighbours", "parzen", "modes", "duplicates", "bootstrap")
    ],
    "drawing": ["gan_keras.drawing", "gan_keras.drawing.figures"],
    "exporting": ["gan_keras.exporting", "gan_keras.exporting.interpolation"],
    "client": ["gan_keras.client"],
    "errors": ["gan_keras.errors"],
}
# Methods by which Keras calls a model or a layer, and saves it: its own documentation has them.
KERAS = ("call", "build", "get_config", "from_config", "get_compile_config", "compile_from_config")

log = logging.getLogger("mkdocs.hooks.reference")


@event_priority(50)
def on_files(files, config):
    """Adds a page for each entry of MODULES."""
    for name, modules in MODULES.items():
        text = f"# {name}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for path in undocumented():
        log.warning("%s: no docstring", path)
    return files


def undocumented():
    """Yields the dotted paths of the public functions, classes and methods without docstring."""
    loader = griffe.GriffeLoader(search_paths=[str(ROOT)])
    package = loader.load("gan_keras")
    loader.resolve_aliases()
    for modules in MODULES.values():
        for path in modules:
            module = package[path.removeprefix("gan_keras.")] if "." in path else package
            for name, member in module.members.items():
                public = name in module.exports if module.exports else not name.startswith("_")
                if public and (not member.is_alias or module.exports):
                    yield from _without(member)


def _without(member):
    if not (member.is_function or member.is_class):
        return
    if not member.has_docstring:
        yield member.path
    if member.is_class:
        for name, method in member.members.items():
            public = not name.startswith("_") and name not in KERAS
            if public and method.is_function and not method.has_docstring:
                yield method.path
