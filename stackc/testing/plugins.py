"""What every plugin must keep, as tests to subclass: that it registers, and that its parts are what they say."""

from __future__ import annotations

from typing import ClassVar

import attrs

from stackc.api.fields import GLOBS, SPEED_ONLY
from stackc.api.version import DECLARATION, contract_problem
from stackc.coding.trial import check_part
from stackc.parts.registry import Registry


class PluginContract:
    """The tests of a plugin as a whole; it need not be installed.

    Attributes:
        plugin: the module (or object) that the entry point names.
    """

    plugin: ClassVar[object]

    def test_it_registers_parts(self) -> None:
        assert Registry.of(plugin=self.plugin).parts(), "no hook of it registers anything"

    def test_it_says_which_contract_it_was_made_for(self) -> None:
        assert hasattr(self.plugin, DECLARATION), f"{DECLARATION} = stackc.api.CONTRACT when it was written, as numbers"
        assert contract_problem(self.plugin) is None

    def test_fields_say_what_they_affect(self) -> None:
        for part in Registry.of(plugin=self.plugin).parts():
            for field in attrs.fields(part.config):
                assert SPEED_ONLY in field.metadata or GLOBS in field.metadata, f"{part.name}.{field.name}"

    def test_parts_are_made_from_their_defaults_and_do_what_they_say(self) -> None:
        for part in Registry.of(plugin=self.plugin).parts():
            assert check_part(part).problems == [], f"{part.kind} {part.name}"
