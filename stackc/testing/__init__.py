"""Contract suites for plugin authors: one for each kind of part, one for a plugin as a whole.

They need pytest (``pip install 'stackc[test]'``).

A suite is a class of tests. Subclass it in a test file of your own, under a name that starts with ``Test``, and
say how to make the part:

    from stackc.testing import CoderContract

    class TestMyCoder(CoderContract):
        config = MyConfig

        def make(self):
            return MyCoder()
"""

from __future__ import annotations

import pytest

# pytest explains a failed assertion only in modules that were registered before they are imported
pytest.register_assert_rewrite(
    *(
        f"stackc.testing.{kind}"
        for kind in (
            "bitwise",
            "coders",
            "compiled",
            "dictionaries",
            "models",
            "piececoders",
            "plugins",
            "readers",
            "wholewindows",
            "windowings",
        )
    )
)

from stackc.testing.bitwise import BitwiseContract  # noqa: E402 - after the line above
from stackc.testing.coders import CoderContract  # noqa: E402
from stackc.testing.dictionaries import DictionaryCoderContract  # noqa: E402
from stackc.testing.models import ModelContract  # noqa: E402
from stackc.testing.piececoders import PieceCoderContract  # noqa: E402
from stackc.testing.plugins import PluginContract  # noqa: E402
from stackc.testing.readers import ReaderContract  # noqa: E402
from stackc.testing.wholewindows import WholeWindowContract  # noqa: E402
from stackc.testing.windowings import WindowingContract  # noqa: E402

__all__ = [
    "BitwiseContract", "CoderContract", "DictionaryCoderContract", "ModelContract", "PieceCoderContract",
    "PluginContract", "ReaderContract", "WholeWindowContract", "WindowingContract",
]  # fmt: skip
