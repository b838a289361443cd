"""The version, said once in code: `pyproject.toml` has it too, and a test compares both."""

from __future__ import annotations

VERSION = "0.1.0"
