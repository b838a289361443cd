"""The avatars: what their pictures show."""

from __future__ import annotations

from zoom_engine.domains.avatars.attributes import TRUTH
from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.avatars.renderer import render
from zoom_engine.domains.avatars.wording import prompt
from zoom_engine.domains.subject import Subject

SUBJECT = Subject(table=Parameters, render=render, truth=TRUTH, prompt=prompt)
