"""Compiles modules to C when the environment says `COMPILE=1`. All else is in pyproject.toml."""

from __future__ import annotations

import os

from setuptools import Extension, setup

COMPILED = (
    "dataflow.detect.addresses",
    "dataflow.detect.atoms",
    "dataflow.detect.context",
    "dataflow.detect.detector",
    "dataflow.detect.digits",
    "dataflow.detect.evidence",
    "dataflow.detect.handles",
    "dataflow.detect.lexicon",
    "dataflow.detect.masks",
    "dataflow.detect.mentions",
    "dataflow.detect.misspell",
    "dataflow.detect.normalise",
    "dataflow.detect.numbering",
    "dataflow.detect.numerals",
    "dataflow.detect.ownership",
    "dataflow.detect.phones",
    "dataflow.detect.platforms",
    "dataflow.detect.portion",
    "dataflow.detect.prefilter",
    "dataflow.detect.respell",
    "dataflow.detect.roles",
    "dataflow.detect.shapes",
    "dataflow.detect.split",
    "dataflow.detect.tokens",
    "dataflow.detect.verdicts",
    "dataflow.timestamps",
)
"""The detector: pure, and where most of the time goes. Its lexicons too, whose constants the others hold. And
the instants' text.

Their frozen dataclasses can't be pickled or copied deeply. None of their functions may call itself without a
bound: the stack is C's, and no RecursionError ends it. Generator expressions are worked out at once, so that
`make compile` takes none but those of `any`, `all` and the like.
"""
FILES = [f"{module.replace('.', '/')}.py" for module in COMPILED]


def extensions() -> list[Extension]:
    """What is to be compiled: nothing, unless it was asked for."""
    if os.environ.get("COMPILE") != "1":
        return []
    # Who installs the program as it is has no compiler.
    from mypyc.build import mypycify

    return mypycify(
        # What the modules import is judged by `make check`, where its types are installed.
        ["--follow-imports=silent", "--cache-dir=build/mypy", *FILES],
        opt_level="3",
        debug_level="0",
        # In the package: an editable install finds nothing beside it.
        group_name="dataflow.compiled",
    )


if __name__ == "__main__":
    setup(ext_modules=extensions())
