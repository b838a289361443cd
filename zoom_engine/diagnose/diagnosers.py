"""`Diagnosers`: several targets audited by one run, which makes once what does not hang on the target."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from zoom_engine.audit.folder import INVERSIONS, check_outs
from zoom_engine.common.errors import AuditError, ConfigError, system_errors
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.progress import ProgressFactory, in_notebooks
from zoom_engine.common.typed import named_options
from zoom_engine.diagnose.edited import EditedModels, diagnosed_edits, load_edited
from zoom_engine.diagnose.models import Models, load_models
from zoom_engine.diagnose.run import diagnosed
from zoom_engine.report import INDEX, IndexEntry, write_index
from zoom_engine.search import describe_search
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings, settings_with, with_audit_options
from zoom_engine.settings.target_names import named_targets, several_targets
from zoom_engine.statistics.diagnosis import Diagnosis

if TYPE_CHECKING:
    from zoom_engine.diagnose.audit_options import SeveralChanges, SeveralTargets


@with_audit_options
class Diagnosers:
    """Audits of what several target models are sensitive to, each as a `Diagnoser` of it alone would say.

    Edit directions and ranges are found once. Targets with the same attributes and the same search also look at the
    same pictures: unedited ones and those that bound the edits are made once, and with a search that follows no
    gradients (`scan`) all others too. With a `cluster`, around `photos` and where each audit finds out itself how
    many images it takes targets are audited one by one. Edits from elsewhere (`pairs`, an `editor`) are made once.

    Args:
        settings: as `Diagnoser` takes them, or their fields, each by its name; but `target` is a list, or a mapping
            from names to targets. All else is the same for each.
        progress: as that of `Diagnoser`.
        notify: as that of `Diagnoser`.

    Raises:
        ZoomError: as `Diagnoser`; ConfigError for targets whose folders would have the same name.
    """

    @overload
    def __init__(
        self,
        settings: AuditSettings,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = null_notifier,
        **options: Unpack[SeveralChanges],
    ) -> None: ...

    @overload
    def __init__(
        self,
        settings: None = None,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = null_notifier,
        **options: Unpack[SeveralTargets],
    ) -> None: ...

    def __init__(
        self,
        settings: AuditSettings | None = None,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = null_notifier,
        **options: Any,
    ) -> None:
        """Load the models of each target, by the arguments of the class; `options` are fields of the settings."""
        settings = settings_with(settings, options)
        if not several_targets(settings.target):
            raise ConfigError("Diagnosers audit several targets: give them as a list, or one to a Diagnoser")
        self.models: dict[str, Models] = {}
        self.edited: dict[str, EditedModels] = {}
        like: Models | None = None
        as_edited: EditedModels | None = None
        for name, target in named_targets(settings.target).items():
            of_target = replace(settings, target=target)
            if settings.edits_from_elsewhere:
                as_edited = load_edited(of_target, progress=progress, notify=notify, like=as_edited)
                self.edited[name] = as_edited
            else:
                like = load_models(of_target, progress=progress, notify=notify, like=like)
                self.models[name] = like

    def __repr__(self) -> str:
        """Return the names of the targets in one line."""
        return f"Diagnosers({', '.join(map(repr, self.names))})"

    @property
    def names(self) -> list[str]:
        """Return the names of the targets, as their folders have them."""
        return [*self.models, *self.edited]

    @named_options
    def run(
        self,
        *,
        images: int | Literal["auto"] = RunSettings.images,
        seed: int = RunSettings.seed,
        out: str | Path | None = None,
        width: float | None = RunSettings.width,
        most_images: int | None = RunSettings.most_images,
    ) -> dict[str, Diagnosis]:
        """Audit each target into a folder of its name in `out`; each folder is that of an audit of the target alone.

        `out/index.html` is written too, and shows them side by side. See `Diagnoser.run`.
        """
        run = RunSettings(images=images, seed=seed, width=width, most_images=most_images)
        outs: Mapping[str, Path | None] = dict.fromkeys(self.names)
        if out is not None:
            check_outs(out, self.names)
            outs = {name: Path(out) / name for name in self.names}
        index = None if out is None else Path(out) / INDEX
        diagnoses: dict[str, Diagnosis] = {}
        inverted: Path | None = None
        for group in self.groups():
            folders = [outs[name] for name in group]
            (first, *_) = folders
            if first is not None and self.models[group[0]].settings.photos is not None:
                _hand_on(inverted, first / INVERSIONS)
                inverted = first / INVERSIONS
            audited = diagnosed([self.models[name] for name in group], run, folders, index=index)
            diagnoses |= zip(group, audited, strict=True)
        if self.edited:
            shown = diagnosed_edits([*self.edited.values()], run, [*outs.values()], index=index)
            diagnoses = dict(zip(self.edited, shown, strict=True))
        diagnoses = {name: diagnoses[name] for name in self.names}
        if out is not None:
            write_index(
                out,
                [IndexEntry(Path(out) / name, title=name, diagnosis=one) for name, one in diagnoses.items()],
                title=f"{len(diagnoses)} models, the same pictures" if len(diagnoses) > 1 else "One model",
                introduction="Each was asked about the same images; each has the audit that it would have alone.",
            )
        return diagnoses

    def groups(self, *, one_by_one: bool = False) -> list[list[str]]:
        """Return the names of targets that are audited together, group after group: they have all else in common.

        Each is alone with `one_by_one`, with a cluster and around photographs.
        """
        groups: dict[str, list[str]] = {}
        for name, models in self.models.items():
            alone = one_by_one or models.settings.cluster is not None or models.settings.photos is not None
            common = [
                list(map(str, models.attributes)),
                models.search.name,
                describe_search(models.search),
                alone and name,
            ]
            groups.setdefault(repr(common), []).append(name)
        return list(groups.values())


def _hand_on(inverted: Path | None, folder: Path) -> None:
    """Copy the codes of `inverted` photographs to `folder`, so that they are not inverted again.

    Raises:
        AuditError: the folder cannot be written.
    """
    with system_errors(AuditError, f"cannot write {folder}"):
        for code in () if inverted is None else inverted.glob("*.safetensors"):
            if not (folder / code.name).exists():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(code, folder / code.name)
