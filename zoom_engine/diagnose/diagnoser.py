"""`Diagnoser`: prompts and a target model in, a finished audit out.

In reading order: `models` loads, `measurements` measures what all images have in common, `run` searches what is left
with both and writes it down, `shard` is the search of some images by one process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.progress import ProgressFactory, in_notebooks
from zoom_engine.common.typed import named_options
from zoom_engine.diagnose.edited import EditedModels, diagnosed_edits, load_edited
from zoom_engine.diagnose.measurements import calibrated_range, edit_directions
from zoom_engine.diagnose.models import Models, load_models
from zoom_engine.diagnose.run import diagnosed
from zoom_engine.diagnose.shard import search_targets
from zoom_engine.directions import CalibratedRange, EditDirections
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.generators import StyleRows
from zoom_engine.search import SearchResult, Trial
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings, settings_with, with_audit_options
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import Target

if TYPE_CHECKING:
    from zoom_engine.diagnose.audit_options import AuditChanges, AuditOptions


@with_audit_options
class Diagnoser:
    """An audit of what a target model is sensitive to, by zero-shot model diagnosis (ZOOM, Luo 2023).

    Args:
        settings: what is audited and how; its fields can be given each by its name too, beside it or in its place, see
            `AuditSettings`.
        progress: how long work is shown, see `zoom_engine.common.progress`; by default in notebooks alone.
        notify: takes each of `notices`, lines on what was assumed, as soon as it is known; the manifest holds them.
        like: one of the same settings but the target; its generator and its text encoder are this one's too.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do.
    """

    @overload
    def __init__(
        self,
        settings: AuditSettings,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = null_notifier,
        like: Diagnoser | None = None,
        **options: Unpack[AuditChanges],
    ) -> None: ...

    @overload
    def __init__(
        self,
        settings: None = None,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = null_notifier,
        like: Diagnoser | None = None,
        **options: Unpack[AuditOptions],
    ) -> None: ...

    def __init__(
        self,
        settings: AuditSettings | None = None,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = null_notifier,
        like: Diagnoser | None = None,
        **options: Any,
    ) -> None:
        """Load the models, by the arguments of the class; `options` are fields of the settings."""
        settings = settings_with(settings, options)
        self._loaded: Models | EditedModels
        if settings.edits_from_elsewhere:
            if like is not None:
                raise ConfigError("like shares a generator, and edits from elsewhere have none: leave it out")
            self._loaded = load_edited(settings, progress=progress, notify=notify)
        else:
            self._loaded = load_models(
                settings, progress=progress, notify=notify, like=None if like is None else like.models
            )

    def __repr__(self) -> str:
        """Return the target, the generator and how it is audited, in one line."""
        return f"Diagnoser({self._loaded})"

    @property
    def models(self) -> Models:
        """Return what was loaded.

        Raises:
            ConfigError: the edits come from elsewhere, so there is no generator.
        """
        if isinstance(self._loaded, EditedModels):
            raise ConfigError("edits from elsewhere have no generator and no edit directions: use run")
        return self._loaded

    @models.setter
    def models(self, models: Models) -> None:
        self._loaded = models

    @property
    def settings(self) -> AuditSettings:
        """Return what is audited and how."""
        return self._loaded.settings

    @property
    def notices(self) -> list[str]:
        """Return lines on what was assumed, so far."""
        return self._loaded.notices.lines

    @named_options
    def run(
        self,
        *,
        images: int | Literal["auto"] = RunSettings.images,
        seed: int = RunSettings.seed,
        out: str | Path | None = None,
        width: float | None = RunSettings.width,
        most_images: int | None = RunSettings.most_images,
    ) -> Diagnosis:
        """Audit the target on `images` generated images.

        `seed` names the images: number i is the generator's seed `seed · 100000 + i`. `out` is the audit
        folder, made or resumed (equal settings only); None keeps the result in memory, without pictures.
        Interrupted at any moment, the same call goes on where it was. With "auto" the audit looks after 24, 48, 96, …
        images whether it may end, by `width` and `most_images` of `RunSettings`; `settings.interim_analyses` says how
        that is paid for. Of an audit around photographs there are as many images as photographs that the generator can
        draw; `photographs` says more. Of edits from elsewhere all images are audited, whatever `images` says.
        """
        run = RunSettings(images=images, seed=seed, width=width, most_images=most_images)
        if isinstance(self._loaded, EditedModels):
            (diagnosis,) = diagnosed_edits([self._loaded], run, [out])
            return diagnosis
        (diagnosis,) = diagnosed([self.models], run, [out])
        return diagnosis

    def edit_directions(self) -> EditDirections:
        """Return one direction per attribute, found or taken from the cache."""
        return edit_directions(self.models)

    def calibrated_range(self, directions: EditDirections) -> CalibratedRange:
        """Return how far each attribute may be edited before it leaves its natural range."""
        return calibrated_range(self.models, directions)

    def search_targets(
        self,
        targets: Sequence[Target],
        styles: StyleRows,
        directions: EditDirections,
        calibrated: CalibratedRange,
        on_result: Callable[[list[tuple[int, Trial, SearchResult]]], None],
    ) -> list[Evaluator]:
        """Search every attribute on every image for several `targets` at once, each picture made once.

        `on_result` gets finished trials, as `searched` hands them over. Returns the evaluators of `targets`.
        """
        return search_targets(self.models, targets, styles, directions, calibrated, on_result)
