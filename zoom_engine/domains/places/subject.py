"""The places: what their pictures show."""

from __future__ import annotations

from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.parameters import Parameters
from zoom_engine.domains.places.renderer import render
from zoom_engine.domains.places.wording import WORDS
from zoom_engine.domains.subject import Subject

SUBJECT = Subject(table=Parameters, render=render, truth=TRUTH, prompt=WORDS.prompt)
