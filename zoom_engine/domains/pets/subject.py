"""The pets: what their pictures show."""

from __future__ import annotations

from zoom_engine.domains.pets.attributes import TRUTH
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.domains.pets.renderer import render
from zoom_engine.domains.pets.wording import WORDS
from zoom_engine.domains.subject import Subject

SUBJECT = Subject(table=Parameters, render=render, truth=TRUTH, prompt=WORDS.prompt)
