"""Compiles levels into dictionaries; `stackc.coding.routes.why_not_compiled` decides which."""

from __future__ import annotations

from stackc.api.errors import CodingError, StackcError
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.routes import compiling_bytes
from stackc.coding.spec import LevelSpec
from stackc.parts.abilities import lists_texts
from stackc.parts.blame import blaming
from stackc.parts.checked import lanes_of
from stackc.recipe import Recipe
from stackc.recipe.checks import codes_pieces
from stackc.stack.opening import lanes_for
from stackc.stack.runtime import Runtime


def check_vocabularies(recipe: Recipe, runtime: Runtime) -> None:
    """Raise `StackcError` if a dictionary coder's vocabulary needs more memory than is allowed.

    Such a level has no other route, so this is checked before anything is read or trained.
    """
    for number, section in enumerate(recipe.levels, 1):
        if section.vocabulary is None or codes_pieces(section.coder):
            continue
        needed = compiling_bytes(section.vocabulary, section.alphabet, lanes_for(section.alphabet, runtime))
        if needed > runtime.memory * 1_000_000:
            raise StackcError(
                f"level.{number}.coder.vocabulary: {section.vocabulary:,} texts over an alphabet of "
                f"{section.alphabet:,} take about {needed / 1e6:,.0f} MB, and run.memory allows {runtime.memory:,} MB; "
                "raise run.memory or lower the vocabulary"
            )


def compiled(spec: LevelSpec) -> Dictionary:
    """The level as a dictionary.

    Raises:
        CodingError: a model that is not portable.
    """
    model = spec.model
    if model is not None and model.portability != "portable":
        raise CodingError(
            f"{spec.name}: a dictionary requires a portable model, and its predictions are {model.portability}"
        )
    assert lists_texts(spec.coder), "why_not_compiled has said so"
    with blaming(spec.coder_name, "dictionary"):
        parent, symbol = spec.coder.dictionary(model, spec.window, lanes_of(model, spec.lanes))
    return Dictionary(parent, symbol, spec.alphabet)
