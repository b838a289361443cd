"""The command line: parse, call, print. Errors are one line on stderr and exit code 1; Ctrl-C is 130."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoom_engine.attributes import Attribute
from zoom_engine.audit_folder import check_config, check_folder
from zoom_engine.cache_folder import check_cache, default_cache
from zoom_engine.config_file import read_config
from zoom_engine.errors import ConfigError, ZoomError, one_line
from zoom_engine.notices import tell
from zoom_engine.progress import forced, interruptible
from zoom_engine.settings import check_images, check_settings

LONGEST_ERROR = 2_000  # characters


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        with interruptible():
            if getattr(options, "threads", None) is not None:
                _use_threads(options.threads)
            options.run(options)
    except ZoomError as error:
        print(f"zoom-engine: {one_line(error, LONGEST_ERROR)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("zoom-engine: interrupted; the same command goes on where it was", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(
        prog="zoom-engine",
        description="Which attributes is a vision model sensitive to? Zero-shot, with pictures.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="audit a sound and a biased face classifier and compare them")
    demo.add_argument("--out", type=Path, default=Path("audit"), help="folder for index.html and both audits")
    demo.add_argument("--images", type=int, default=None, help="generated faces per target")
    _add_run_options(demo)
    demo.set_defaults(run=_demo)

    diagnose = commands.add_parser("diagnose", help="audit a target model")
    diagnose.add_argument("--config", type=Path, help="TOML file with the same options; the command line wins")
    diagnose.add_argument("--generator", help="a domain (avatars) or a checkpoint file")
    _add_generator_class(diagnose)
    diagnose.add_argument(
        "--target",
        help="domain:name, a model file or folder, torchvision:NAME@WEIGHTS, timm:NAME@WEIGHTS, hf-hub:OWNER/NAME,"
        " or python:FILE.py:NAME",
    )
    _add_target_options(diagnose)
    diagnose.add_argument("--attribute", action="append", dest="attributes", help="a prompt; repeat for more")
    diagnose.add_argument("--neutral", help="the prompt that attributes are compared with")
    diagnose.add_argument(
        "--label",
        action="append",
        dest="labels",
        help="a class prompt for the label check; repeat for each class",
    )
    diagnose.add_argument("--text-encoder", help="open_clip NAME:TAG or a folder")
    diagnose.add_argument(
        "--template",
        action="append",
        dest="templates",
        help="sentences that attributes are put into: a set (none, general, faces, imagenet, imagenet-short),"
        " or one of your own such as 'a photo of {}'; repeat for more",
    )
    diagnose.add_argument("--mode", choices=("single", "multi"))
    diagnose.add_argument("--search", choices=("scan", "sgd", "pgd", "cmaes"))
    diagnose.add_argument("--steps", type=int, help="steps of a gradient search, or generations of cmaes")
    diagnose.add_argument("--directions", choices=("regression", "sampled", "gradient"))
    diagnose.add_argument("--threshold", type=float, help="λ in [0, 1) of the largest relevance")
    diagnose.add_argument("--range", choices=("calibrated", "paper"), dest="edit_range")
    diagnose.add_argument(
        "--decisive-change",
        type=float,
        help="how far in [0, 1] the output must move for a flip to count as decisive",
    )
    diagnose.add_argument("--truncation", type=float, help="ψ; 1 is off")
    diagnose.add_argument("--truncation-cutoff", type=int, help="the number of layers that ψ acts on (all)")
    diagnose.add_argument("--images", type=int)
    diagnose.add_argument("--out", type=Path, help="the audit folder; resumed where it exists")
    _add_run_options(diagnose)
    diagnose.set_defaults(run=_diagnose)

    edit = commands.add_parser("edit", help="draw images at several weights of edit directions")
    edit.add_argument("--generator", default="avatars")
    _add_generator_class(edit)
    edit.add_argument("--attribute", action="append", dest="attributes", required=True)
    edit.add_argument("--neutral")
    edit.add_argument("--text-encoder")
    _add_download(edit)
    edit.add_argument("--directions", choices=("regression", "sampled", "gradient"), default="regression")
    edit.add_argument(
        "--weights", type=_numbers, help="such as -30,-15,0,15,30; by default what an audit uses, and ±30 beside it"
    )
    edit.add_argument("--seeds", type=_seeds, default="0-7", help="such as 0-7 or 3,5,9")
    edit.add_argument("--truncation", type=float, default=1.0)
    edit.add_argument("--out", type=Path, required=True, help="a PNG file")
    edit.set_defaults(run=_edit)

    _add_checkpoint_commands(commands)

    view = commands.add_parser(
        "view", help="what a target sees: the pictures after its resize and crop, and its answers"
    )
    view.add_argument("--generator", default="avatars")
    _add_generator_class(view)
    view.add_argument("--target", required=True)
    _add_target_options(view)
    view.add_argument("--seeds", type=_seeds, default="0-7", help="such as 0-7 or 3,5,9")
    view.add_argument("--out", type=Path, required=True, help="a PNG file")
    view.set_defaults(run=_view)

    words = commands.add_parser("words", help="list the words that a text encoder was trained on, one a line")
    words.add_argument("text_encoder", nargs="?", default="avatars", metavar="TEXT_ENCODER", help="as --text-encoder")
    words.set_defaults(run=_words)

    report = commands.add_parser("report", help="write report.html of an audit folder again, and print its table")
    report.add_argument("audit", type=Path)
    report.set_defaults(run=_report)

    info = commands.add_parser("info", help="versions, instruction set, runtimes, and what is missing")
    info.set_defaults(run=_info)
    return parser


def _add_checkpoint_commands(commands: Any) -> None:
    convert = commands.add_parser("convert", help="write a generator checkpoint of any known format as safetensors")
    convert.add_argument("source", type=Path, metavar="IN")
    convert.add_argument("out", type=Path, metavar="OUT.safetensors")
    _add_generator_class(convert)
    convert.add_argument("--half", action="store_true", help="store float16")
    convert.set_defaults(run=_convert)

    inspect = commands.add_parser("inspect", help="what a generator or target file holds, and why it is refused")
    inspect.add_argument(
        "file", metavar="FILE", help="a file or folder, a domain (avatars), or a target's name as for diagnose"
    )
    _add_generator_class(inspect)
    _add_download(inspect)
    _add_input_options(inspect)
    inspect.set_defaults(run=_inspect)


def _add_generator_class(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--generator-class", type=int, metavar="N", help="of a class-conditional generator the class to draw, from 0"
    )


def _add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--download", action="store_true", default=None, help="fetch published weights that are not on this machine"
    )


def _add_target_options(parser: argparse.ArgumentParser) -> None:
    """What `load_target` takes beside the target; each goes into `target_options`."""
    _add_download(parser)
    parser.add_argument("--trust", action="store_true", default=None, help="run a target file that contains a program")
    parser.add_argument("--class", action="append", dest="classes", help="a class name, in the outputs' order; repeat")
    parser.add_argument("--output", help="of several outputs the one to audit: its name or index")
    parser.add_argument("--output-kind", choices=("logits", "probabilities"), dest="kind")
    parser.add_argument("--head", help="the one output of a multi-label model to audit: its class or index")
    _add_input_options(parser)


def _add_input_options(parser: argparse.ArgumentParser) -> None:
    """The fields of a target's `Preprocessing`."""
    parser.add_argument("--input-size", type=_sizes, dest="size", help="pixels: 224, or 192,256 (height, width)")
    parser.add_argument("--input-resize-size", type=_sizes, dest="resize_size", help="resize to this before the crop")
    parser.add_argument("--input-resize", choices=("bilinear", "bicubic", "nearest", "area"), dest="resize")
    parser.add_argument("--input-range", type=_numbers, dest="value_range", help="of black and white, such as 0,255")
    parser.add_argument("--input-mean", type=_numbers, dest="mean", help="one number or three, in units of the range")
    parser.add_argument("--input-std", type=_numbers, dest="std")
    parser.add_argument("--input-channels", choices=("RGB", "BGR"), dest="channel_order")
    parser.add_argument("--input-layout", choices=("NCHW", "NHWC"), dest="layout")


def _target_options(values: dict[str, Any]) -> dict[str, Any]:
    """`target_options` of a configuration file, with the command line's over them."""
    stored = values.get("target_options", {})
    if not isinstance(stored, dict) or not isinstance(stored.get("preprocessing", {}), dict):
        raise ConfigError("target_options and its preprocessing must be tables")
    preprocessing = {**stored.get("preprocessing", {}), **_given(values, _INPUT_OPTIONS)}
    options = {**stored, **_given(values, _TARGET_OPTIONS)}
    return {**options, "preprocessing": preprocessing} if preprocessing else options


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, help="names the images: number i is seed·100000 + i")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--device", help="cpu or cuda")
    parser.add_argument("--backend", choices=_BACKENDS)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--threads", type=int, help="of the processor, for torch and for the runtimes")
    parser.add_argument("--cache", type=Path, help="folder for edit directions and compiled models")


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """Around imports that take seconds, such as torch's: a sign of life at once."""
    with forced(1, "Starting", unit="step") as bar:
        yield
        bar.update()


_BACKENDS = ("auto", "torch", "native", "onnxruntime", "onnxruntime-tensorrt", "openvino", "tensorrt")
_TARGET_OPTIONS = ("trust", "download", "classes", "output", "kind", "head")
_INPUT_OPTIONS = ("size", "resize_size", "resize", "value_range", "mean", "std", "channel_order", "layout")
_RUN_OPTIONS = ("batch_size", "device", "backend", "precision", "cache")
_DIAGNOSER_OPTIONS = (
    *(
        "generator",
        "generator_class",
        "target",
        "attributes",
        "neutral",
        "labels",
        "text_encoder",
        "templates",
        "mode",
        "search",
    ),
    *("directions", "threshold", "edit_range", "decisive_change", "truncation", "truncation_cutoff"),
    *("download", *_RUN_OPTIONS),
)

_SETTINGS = (
    *("generator", "attributes", "neutral", "labels", "edit_range"),
    *("threshold", "truncation", "truncation_cutoff", "batch_size", "decisive_change"),
)
_CONFIG = (
    *("attributes", "neutral", "labels", "mode", "search", "edit_range", "decisive_change"),
    *("truncation", "truncation_cutoff"),
)


def _use_threads(threads: int) -> None:
    """Torch's own setting, which every runtime and the native operators follow."""
    if threads < 1:
        raise ConfigError(f"threads must be at least 1, got {threads}")
    with _starting():
        import torch

    torch.set_num_threads(threads)


def _demo(options: argparse.Namespace) -> None:
    with _starting():
        from zoom_engine.experiments.demo import IMAGES, run_demo

    found = run_demo(
        options.out,
        images=IMAGES if options.images is None else options.images,
        seed=options.seed or 0,
        progress=forced,
        **_given(vars(options), _RUN_OPTIONS),
    )
    for diagnosis in found.values():
        print(diagnosis.table(), end="\n\n")
    print(f"Open {options.out / 'index.html'}")


def _diagnose(options: argparse.Namespace) -> None:
    values = read_config(options.config) if options.config else {}
    if "threads" in values and options.threads is None:
        _use_threads(values["threads"])
    values |= {key: value for key, value in vars(options).items() if value is not None}
    missing = next((name for name in ("generator", "target", "out") if name not in values), None)
    if missing:
        raise ConfigError(f"--{missing} is missing; see zoom-engine diagnose --help")
    if options.templates and len(options.templates) == 1 and "{}" not in options.templates[0]:
        values["templates"] = options.templates[0]  # the name of a set
    if "steps" in values:
        values["search_options"] = {**values.get("search_options", {}), "steps": values["steps"]}
    _refuse_early(values)
    with _starting():
        from zoom_engine.diagnoser import Diagnoser

    diagnoser = Diagnoser(
        progress=forced,
        notify=tell,
        target_options=_target_options(values),
        **_given(values, _DIAGNOSER_OPTIONS),
        **({"search_options": values["search_options"]} if "search_options" in values else {}),
    )
    diagnosis = diagnoser.run(images=values.get("images", 200), seed=values.get("seed", 0), out=values["out"])
    print(diagnosis.table())
    print(f"\nOpen {Path(values['out']) / 'report.html'}")


def _refuse_early(values: dict[str, Any]) -> None:
    """What `Diagnoser` and its `run` would refuse without any model: here it takes no second."""
    check_settings(**_given(values, _SETTINGS))
    images, seed = values.get("images", 200), values.get("seed", 0)
    check_images(images, seed)
    check_folder(values["out"])
    check_cache(Path(values.get("cache") or default_cache()))
    known = {"images": images, "seed": seed, **_given(values, _CONFIG)}
    if "attributes" in known:
        known["attributes"] = [attribute.text for attribute in map(Attribute.parse, known["attributes"])]
    check_config(values["out"], known)


def _edit(options: argparse.Namespace) -> None:
    with _starting():
        from zoom_engine.experiments.edit_sheet import write_edit_sheet

    ranges = write_edit_sheet(
        options.out,
        generator=options.generator,
        generator_class=options.generator_class,
        attributes=options.attributes,
        neutral=options.neutral,
        text_encoder=options.text_encoder,
        method=options.directions,
        weights=options.weights,
        seeds=options.seeds,
        truncation=options.truncation,
        download=bool(options.download),
        progress=forced,
    )
    for shown in ranges:
        note = "; in brackets: outside its calibrated range" if shown.calibrated else ""
        print(f"{shown.attribute}: {', '.join(shown.labels())}{note}")
    print(f"Open {options.out}")


def _convert(options: argparse.Namespace) -> None:
    from zoom_engine.generators import convert_checkpoint

    convert_checkpoint(options.source, options.out, class_index=options.generator_class, half=options.half)
    print(f"Wrote {options.out}")


def _inspect(options: argparse.Namespace) -> None:
    from zoom_engine.inspection import describe_file

    described = describe_file(
        options.file,
        _given(vars(options), _INPUT_OPTIONS),
        generator_class=options.generator_class,
        download=bool(options.download),
    )
    print(described.text)
    if described.refusal is not None:
        raise described.refusal


def _view(options: argparse.Namespace) -> None:
    with _starting():
        from zoom_engine.experiments.target_view import write_target_view

    lines = write_target_view(
        options.out,
        generator=options.generator,
        generator_class=options.generator_class,
        target=options.target,
        target_options=_target_options(vars(options)),
        seeds=options.seeds,
        notify=tell,
    )
    print("\n".join([*lines, f"Open {options.out}"]))


def _words(options: argparse.Namespace) -> None:
    from zoom_engine.text import load_text_encoder

    encoder = load_text_encoder(options.text_encoder)
    if encoder.words is None:
        print(f"text encoder '{encoder.name}' does not say which words it was trained on: it takes any prompt")
    else:
        print("\n".join(sorted(encoder.words)))


def _report(options: argparse.Namespace) -> None:
    from zoom_engine.diagnosis import Diagnosis
    from zoom_engine.report import write_report

    print(Diagnosis.load(options.audit).table())
    print(f"\nOpen {write_report(options.audit)}")


def _info(options: argparse.Namespace) -> None:
    from zoom_engine.info import describe

    print(describe())


def _given(values: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}


def _numbers(text: str) -> list[float]:
    with _wanting("numbers such as 0.5 or -1,1", text):
        return [float(part) for part in text.split(",")]


def _sizes(text: str) -> int | tuple[int, int]:
    height, comma, width = text.partition(",")
    with _wanting("pixels such as 224 or 192,256 (height, width)", text):
        return (int(height), int(width)) if comma else int(height)


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    with _wanting("seeds such as 0-7 or 3,5,9", text):
        for part in text.split(","):
            first, _, last = part.partition("-")
            seeds += range(int(first), int(last or first) + 1)
    return seeds


@contextlib.contextmanager
def _wanting(form: str, text: str) -> Iterator[None]:
    """Says which form an option has, where `text` is of another."""
    try:
        yield
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"write {form}, not {text!r}") from error
