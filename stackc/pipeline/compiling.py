"""Compiles levels into dictionaries; `stackc.coding.routes.why_not_compiled` decides which."""

from __future__ import annotations

from stackc.api.errors import CodingError, StackcError
from stackc.api.messages import megabytes
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.routes import compiling_bytes, why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.parts.abilities import lists_texts
from stackc.parts.blame import blaming
from stackc.parts.checked import lanes_of
from stackc.recipe import Recipe
from stackc.stack.opening import level_spec
from stackc.stack.runtime import Runtime


def check_memory(recipe: Recipe, runtime: Runtime) -> None:
    """Raise `StackcError` if compiling a level needs more memory than is allowed.

    Whether a level is compiled is in the stack's hash, so less memory must not leave it out. This is checked before
    anything is read or trained.
    """
    for number, section in enumerate(recipe.levels, 1):
        spec = level_spec(section, recipe.corpus.segment, runtime, section.coder.make())
        if why_not_compiled(spec) is not None:
            continue
        if spec.vocabulary is not None:
            texts, field, remedy = spec.vocabulary, "coder.vocabulary", " or lower the vocabulary"
        else:
            assert spec.windowing.bits is not None, "why_not_compiled has said so"
            texts, field, remedy = 1 << spec.windowing.bits, "windowing.bits", ""
        needed = compiling_bytes(texts, spec.alphabet, spec.lanes)
        if needed > runtime.memory * 1_000_000:
            raise StackcError(
                f"level.{number}.{field}: {texts:,} texts over an alphabet of {spec.alphabet:,} take about "
                f"{megabytes(needed)}, and run.memory allows {runtime.memory:,} MB; raise run.memory{remedy}"
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
