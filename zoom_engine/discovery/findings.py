"""What a discovery found, as data: the clusters, strongest first, and the pictures that show them."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import AuditError, one_line
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import Count, Interval, JsonObject
from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.common.terminal import WIDTH, Column, ruled, wrapped
from zoom_engine.discovery.calls import Verdict
from zoom_engine.settings.audit_settings import RunSettings
from zoom_engine.settings.command_line import arguments_of_attributes
from zoom_engine.statistics.table import decimal

MANIFEST, SUMMARY, EDITS, DIRECTIONS, REPORT = (
    *("manifest.json", "summary.json", "records.jsonl"),
    *("directions.safetensors", "report.html"),
)
FORMAT = {"name": "zoom-engine discovery", "version": 2}
NO_WORD = "no word fits"


def manifest_of(config: Mapping[str, object], environment: Mapping[str, object]) -> dict[str, Any]:
    """Return the content of manifest.json."""
    return {"format": FORMAT, "config": dict(config), "environment": dict(environment)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strip:
    """A held-out image at the lower end, unedited, and at the upper end: its `files` and `captions` (the output)."""

    seed: Count
    files: tuple[str, ...]
    captions: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """One way in which the target is moved.

    Attributes:
        name: the word that fits; None where none does.
        score: how far the pictures' text score of the name moves from end to end, in natural ranges.
        runner_up: the next word, or the nearest one where none fits.
        runner_up_score: its score.
        word_change: the mean change by the edits of the word that fits.
        search_images: for how many images the smallest edit belongs to this cluster; 0 where a word's own edits are it.
        images: how many of the held-out images it moves by the smallest effect or more.
        held_out: how many held-out images there are.
        mean_change: over all of them, in [0, 1].
        ci95: its interval.
        label_kept: the fraction of its edits that keep the label; None where labels are off.
        baseline: the mean change by random baseline directions.
        p_value: of the cluster against random baseline directions.
        p_adjusted: the same, adjusted over clusters.
        verdict: how large its effect is, see `calls`.
        why: its reason in a sentence.
        strips: pictures of it.
    """

    name: str | None
    score: float | None
    runner_up: str | None
    runner_up_score: float | None
    word_change: float | None
    search_images: Count
    images: Count
    held_out: Count
    mean_change: float
    ci95: Interval | None
    label_kept: float | None
    baseline: float | None
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict
    why: str
    strips: tuple[Strip, ...] = ()

    @property
    def title(self) -> str:
        """Return the name, or that there is none."""
        return self.name or NO_WORD


@dataclasses.dataclass(frozen=True, kw_only=True)
class Discovery:
    """The clusters of a run, and what it was run on.

    Attributes:
        clusters: the strongest first.
        flipped: how many of the searched images the smallest edit flips.
        searched: how many images were searched.
        random_change: the mean change of held-out images by the random baseline direction that moves them furthest;
            None in older folders.
        told_apart: whether what was found can be told from such edits, see `calls.told_apart`; True in older folders.
        config: what determines the result.
        environment: where it was made.
    """

    clusters: tuple[Cluster, ...]
    flipped: int
    searched: int
    random_change: float | None = None
    told_apart: bool = True
    config: Mapping[str, Any]
    environment: Mapping[str, Any]

    @property
    def target(self) -> str:
        """Return the target's name."""
        return str(self.config["target"])

    @property
    def names(self) -> list[str]:
        """Return the words that fit, each once, that of the strongest cluster first."""
        return list(dict.fromkeys(cluster.name for cluster in self.clusters if cluster.name is not None))

    @property
    def advice(self) -> str | None:
        """Say what to do instead where no cluster can be told from random edits; None elsewhere."""
        if self.told_apart or self.random_change is None:
            return None
        return (
            "Random edits move this model too (the strongest of"
            f" {self.config.get('random_directions', 'several')} by {decimal(self.random_change)} on average), and"
            " nothing that was found moves it clearly further, so nothing stands out: type the attributes that matter"
            " to you, and zoom-engine diagnose measures each of them."
        )

    def command(self) -> str:
        """Return the command line that audits what was named, as if it had been typed, with all that was given.

        It is on other images than those by which the attributes were chosen: on these they would seem to matter more.
        "" where nothing was named, or where no command line says an option; folders of older versions have none.
        """
        given = JsonObject(self.environment).get("audit", tuple[str, ...])
        if not self.names or not given:
            return ""
        seed = ["--seed", f"{RunSettings.seed + 1}"] if self.config.get("seed") == RunSettings.seed else []
        words = [*given, *arguments_of_attributes(self.names), *seed, "--out", "audit"]
        return shlex.join(["zoom-engine", "diagnose", *words])

    def table(self, *, width: int = WIDTH, colors: bool = False) -> str:
        """Return the clusters as text for a terminal of `width` columns, with `colors` where it shows them."""
        about = (
            f"{self.target}: {number_of(len(self.clusters), 'cluster')} of edits, {self.flipped} of"
            f" {number_of(self.searched, 'image')} {agreeing(self.flipped, 'flips', 'flip')}"
        )
        columns = [
            Column("what changes", text=True, name=True),
            Column("verdict", text=True, colored=True),
            Column("moves"),
            Column("mean"),
            Column("random", rank=1),
            Column("score", rank=2),
            Column("runner-up", text=True, name=True, rank=3),
        ]
        body = [
            [
                cluster.title,
                cluster.verdict,
                f"{cluster.images} of {cluster.held_out}",
                decimal(cluster.mean_change),
                decimal(cluster.baseline),
                decimal(cluster.score),
                cluster.runner_up or "-",
            ]
            for cluster in self.clusters
        ]
        lines = [wrapped(about, width=width), *ruled(columns, body, width=width, colors=colors)]
        return "\n".join([*lines, *([wrapped(self.advice, width=width)] if self.advice else [])])

    def to_json(self) -> dict[str, Any]:
        """Return the content of summary.json."""
        return {
            "clusters": [dataclasses.asdict(cluster) for cluster in self.clusters],
            "flipped": self.flipped,
            "searched": self.searched,
            "random_change": self.random_change,
            "told_apart": self.told_apart,
            "advice": self.advice,
        }

    @classmethod
    def load(cls, folder: str | Path) -> Discovery:
        """Read the discovery in `folder`.

        Raises:
            AuditError: there is none that can be read.
        """
        folder = Path(folder)
        try:
            manifest, summary = (JsonObject(read_json(folder / name)) for name in (MANIFEST, SUMMARY))
            manifest.check("format", manifest.values.get("format") == FORMAT, f"be {json.dumps(FORMAT)}")
            config = manifest.object("config")
            config.need("target", str)
            environment = manifest.object("environment")
            for name in ("audit", "notices"):
                environment.get(name, tuple[str, ...])
            clusters = summary.get("clusters", tuple[Cluster, ...]) or ()
            for strip in (strip for cluster in clusters for strip in cluster.strips):
                if len(strip.files) != len(strip.captions):
                    raise ValueError(f"the captions of a strip must be as many as its files, not {len(strip.captions)}")
            return cls(
                clusters=clusters,
                flipped=summary.need("flipped", int),
                searched=summary.need("searched", int),
                random_change=summary.get("random_change", float),
                told_apart=summary.get("told_apart", bool) is not False,
                config=config.values,
                environment=environment.values,
            )
        except (OSError, ValueError, TypeError, OverflowError) as error:
            raise AuditError(
                f"{folder} holds no discovery that can be read ({one_line(error)}): run it again in a new folder"
            ) from None
