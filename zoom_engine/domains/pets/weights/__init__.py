"""Weights as package data; `zoom_engine.domains.pets.train` makes them."""

from pathlib import Path

WEIGHTS = Path(__file__).parent
