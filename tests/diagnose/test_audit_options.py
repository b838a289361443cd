"""The keywords that type checkers know are the fields of the settings."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_type_hints

import pytest

from zoom_engine import Diagnoser, Diagnosers, Discoverer
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.audit_options import (
    AuditChanges,
    AuditOptions,
    DiscoveryOptions,
    SeveralChanges,
    SeveralTargets,
)
from zoom_engine.settings.audit_settings import AuditSettings

FIELDS = {field.name: field for field in dataclasses.fields(AuditSettings)}
NEEDED = {name for name, field in FIELDS.items() if field.default is dataclasses.MISSING}


def test_they_have_the_names_and_types_of_the_fields() -> None:
    hints = get_type_hints(AuditSettings)
    for options in (AuditOptions, AuditChanges, SeveralTargets, SeveralChanges):
        hints = get_type_hints(options)
        assert set(hints) == set(FIELDS)
        exact = {name: hint for name, hint in hints.items() if Any not in get_args(hint)}
        assert {name: hints[name] for name in exact} == exact
        assert Any not in [hint for name, hint in hints.items() if name not in exact]


def test_what_a_field_needs_is_needed_unless_there_are_settings() -> None:
    for options in (AuditOptions, SeveralTargets, DiscoveryOptions):
        assert options.__required_keys__ == NEEDED
    for changes in (AuditChanges, SeveralChanges):
        assert changes.__required_keys__ == frozenset()


def test_an_option_of_a_run_that_there_is_not_is_told_with_what_may_be_meant() -> None:
    for kind in (Diagnoser, Diagnosers, Discoverer):
        with pytest.raises(ConfigError, match=r"^run has no option 'imges'; did you mean 'images'\?$"):
            kind.run(None, imges=3)  # type: ignore[call-arg, arg-type]
