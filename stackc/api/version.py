"""The version of the plugin contract, and which plugins it admits."""

from __future__ import annotations

import importlib.metadata
import time

CONTRACT = (1, 4)
"""(major, minor) of the contract: the hooks and all that `stackc.api` lists.

It is not stackc's own version, which also rises when nothing changes for plugins. *minor* rises when something is
added, *major* when something that a plugin may rely on changes or goes. A plugin says in its module which contract it
was made for, as numbers: ``STACKC_CONTRACT = (1, 4)``. The same major with the same or a later minor admits it. One
that says nothing is admitted: its package's requirement on stackc speaks for it.

1.1 added ``register(..., self_test=)``, `stackc.api.corpus_files`, `unpacked` and `offsets_of`, the types of arrays
and of a coder's abilities, the rule that threads share parts (`stackc.api.models`), and that a coder's flags are read
from its configuration alone. 1.2 added ``bits(..., added=True)`` and ``speed(..., added=True)``, coders of whole
windows (`stackc.api.WholeWindowCoder`), ``max_lanes`` of predictors, `stackc.api.HashedReader`,
`stackc.api.BitwisePredictor` and the coder for it (`stackc.api.bitwise`). 1.3 added `stackc.api.SymbolTexts`,
`stackc.api.PlainTokenizer`, ``compiled`` of predictors and coders (`stackc.api.compiled`), `TrainingTask.texts`,
``needs_texts`` of training settings (`stackc.api.ModelBackend`), and tables of cuts: `stackc.api.Windowing.table`,
`stackc.api.Window.table` and the flag ``masks`` of coders. 1.4 added piece coders that are fitted under a model
(`stackc.api.FittedUnderModel`), `stackc.api.log2_fixed`, `stackc.api.WORD_RULE`, and for kernels `stackc.api.prefetch`,
`choose` and `borrowed`; ``start`` and ``most_lanes`` of `stackc.api.CompiledStep`; `stackc.api.groups_of` and
`are_offsets`, ``parameters_known`` of `stackc.api.Cost`, and a total of 0 in `stackc.api.Progress`.
"""

IMPORTED_NS = time.time_ns()
"""Source files that changed later may not be what this process runs (`stackc.api.kernels`)."""

DECLARATION = "STACKC_CONTRACT"
"""The module attribute with which a plugin says it."""


def stackc_version() -> str:
    """stackc's own version: that of the installed distribution."""
    return importlib.metadata.version("stackc")


def installed_version(distribution: str) -> str | None:
    """The version of an installed package, or None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def contract_problem(plugin: object) -> str | None:
    """Why a plugin was made for another contract than this one; None if it fits or does not say."""
    made_for = getattr(plugin, DECLARATION, None)
    if made_for is None:
        return None
    here = "{}.{}".format(*CONTRACT)
    numbers = (
        isinstance(made_for, tuple) and len(made_for) == 2 and all(type(part) is int and part >= 0 for part in made_for)
    )
    if not numbers:
        return f"its {DECLARATION} is {made_for!r}, not a pair of numbers such as {CONTRACT}"
    made = "{}.{}".format(*made_for)
    if made_for > CONTRACT:
        return f"made for contract {made} of stackc.api (found {here}): install a newer stackc"
    if made_for[0] < CONTRACT[0]:
        return f"made for contract {made} of stackc.api (found {here}): install a newer version of the plugin"
    return None
