"""How Sphinx builds the documentation: `make docs`."""

import importlib.util
import inspect
import re

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.inspect import TypeAliasForwardRef

import streamd
from streamd import providers

project = "streamd"
author = "the streamd authors"
version = release = streamd.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"streamd {release}"

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3

default_role = "code"  # docstrings mark names with single backquotes
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Chunk": "Chunk", "Part": "Part"}
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True


def keep_colons(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Begin a value's docstring with an empty comment: napoleon takes its first line up to a colon for a type."""
    if what in {"attribute", "data", "property"}:
        lines[:0] = ["..", ""]


def aliases_comment(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Take what is said of an alias from where it is made: autodoc does not follow the package that hands it on."""
    if what == "data":
        module, _, alias = name.rpartition(".")
        while found := re.search(
            rf"^from (\S+) import {alias} as",
            inspect.getsource(importlib.import_module(module)),
            re.MULTILINE,
        ):
            module = importlib.util.resolve_name(found[1], module)
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        lines[:] = comments.get(("", alias), [])


# Otherwise an alias inside a list is shown as TypeAliasForwardRef('Chunk').
TypeAliasForwardRef.__repr__ = lambda alias: alias.name


def shared_names(app: Sphinx, page: str, source: list[str]) -> None:
    """Name what `streamd` and `streamd.providers` both export, so that the reference describes it once."""
    source[0] = source[0].replace(
        "SHARED_NAMES", ", ".join(sorted({*streamd.__all__} & {*providers.__all__}))
    )


def setup(app: Sphinx) -> None:
    """Add what is not an extension of its own."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-docstring", aliases_comment, priority=300)
    app.connect("source-read", shared_names)
