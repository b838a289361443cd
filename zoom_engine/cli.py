"""The command line: parse, call, print. Errors are one line on stderr and exit code 1; Ctrl-C is 130."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoom_engine.audit.folder import check_config, check_folder
from zoom_engine.audit.settings import OPTIONS, RUN_OPTIONS, AuditSettings, LossWeights, RunSettings
from zoom_engine.config_file import option_types, read_config
from zoom_engine.errors import ConfigError, ZoomError, one_line
from zoom_engine.files.cache import check_cache, default_cache
from zoom_engine.notices import tell
from zoom_engine.progress import forced, interruptible

LONGEST_ERROR = 2_000  # characters
_Options = argparse.ArgumentParser | argparse._ArgumentGroup


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
    _add_settings(demo, ["images", "seed"])
    _add_machine(demo)
    demo.set_defaults(run=_demo)

    diagnose = commands.add_parser(
        "diagnose",
        help="audit a target model",
        usage="zoom-engine diagnose --generator GENERATOR --target TARGET --attribute PROMPT ... --out FOLDER"
        " [OPTION ...]",
    )
    _add_settings(diagnose, _COMMON)
    diagnose.add_argument("--config", type=Path, help="TOML file with the same options; the command line wins")
    rest = [name for name in (*OPTIONS, *RUN_OPTIONS) if name not in (*_COMMON, *_TABLES, *_RUNTIME)]
    more = diagnose.add_argument_group("how it is audited")
    _add_settings(more, rest)
    more.add_argument("--steps", type=int, help="steps of a gradient search, or generations of cmaes")
    more.add_argument(
        "--search-option", action="append", type=_named, help="NAME=VALUE, such as step_size=0.5; repeat for more"
    )
    _add_target_options(diagnose.add_argument_group("how the target is read"))
    _add_machine(diagnose.add_argument_group("what it runs on"))
    diagnose.set_defaults(run=_diagnose)

    edit = commands.add_parser("edit", help="draw images at several weights of edit directions")
    _add_settings(edit, _DRAWN)
    edit.add_argument(
        "--weights", type=_numbers, help="such as -30,-15,0,15,30; by default what an audit uses, and ±30 beside it"
    )
    edit.add_argument("--seeds", type=_seeds, default="0-7", help="such as 0-7 or 3,5,9")
    edit.add_argument("--out", type=Path, required=True, help="a PNG file")
    edit.set_defaults(run=_edit, generator="avatars")

    _add_checkpoint_commands(commands)

    view = commands.add_parser(
        "view", help="what a target sees: the pictures after its resize and crop, and its answers"
    )
    _add_settings(view, ["generator", "generator_class", "target"])
    _add_target_options(view)
    view.add_argument("--seeds", type=_seeds, default="0-7", help="such as 0-7 or 3,5,9")
    view.add_argument("--out", type=Path, required=True, help="a PNG file")
    view.set_defaults(run=_view, generator="avatars")

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
    _add_settings(convert, ["generator_class"])
    convert.add_argument("--half", action="store_true", help="store float16")
    convert.set_defaults(run=_convert)

    inspect = commands.add_parser("inspect", help="what a generator or target file holds, and why it is refused")
    inspect.add_argument(
        "file", metavar="FILE", help="a file or folder, a domain (avatars), or a target's name as for diagnose"
    )
    _add_settings(inspect, ["generator_class", "download"])
    _add_input_options(inspect)
    inspect.set_defaults(run=_inspect)


def _add_target_options(parser: _Options) -> None:
    """What `load_target` takes beside the target; each goes into `target_options`."""
    _add_settings(parser, ["download"])
    parser.add_argument("--trust", action="store_true", default=None, help="run a target file that contains a program")
    parser.add_argument("--class", action="append", dest="classes", help="a class name, in the outputs' order; repeat")
    parser.add_argument("--output", help="of several outputs the one to audit: its name or index")
    parser.add_argument("--output-kind", choices=("logits", "probabilities"), dest="kind")
    parser.add_argument("--head", help="the one output of a multi-label model to audit: its class or index")
    _add_input_options(parser)


def _add_input_options(parser: _Options) -> None:
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


def _add_settings(parser: _Options, names: Iterable[str]) -> None:
    """Options for fields of `AuditSettings` and `RunSettings`; those that are not given stay None."""
    types, about = option_types(), {**OPTIONS, **RUN_OPTIONS}
    for name in names:
        flag = f"--{(about[name].name or name).replace('_', '-')}"
        shown = (about[name].name or name).upper()
        text = about[name].text.replace("%", "%%")
        kinds = types[name]
        if kinds == (bool,):
            parser.add_argument(flag, dest=name, action="store_true", default=None, help=text)
        elif Sequence in kinds:
            parser.add_argument(flag, dest=name, metavar=shown, action="append", help=f"{text}; repeat for more")
        else:
            form = _loss_weights if LossWeights in kinds else kinds[0]
            choices = about[name].choices
            metavar = None if choices else shown
            parser.add_argument(flag, dest=name, metavar=metavar, type=form, choices=choices, help=text)


def _add_machine(parser: _Options) -> None:
    _add_settings(parser, _RUNTIME)
    parser.add_argument("--threads", type=int, help="of the processor, for torch and for the runtimes")


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """Around imports that take seconds, such as torch's: a sign of life at once."""
    with forced(1, "Starting", unit="step") as bar:
        yield
        bar.update()


_COMMON = ("generator", "target", "attributes", "images", "out")
_TARGET_OPTIONS = ("trust", "download", "classes", "output", "kind", "head")
_INPUT_OPTIONS = ("size", "resize_size", "resize", "value_range", "mean", "std", "channel_order", "layout")
_TABLES = ("target_options", "search_options", "download")  # with options of their own
_DRAWN = (
    *("generator", "generator_class", "attributes", "neutral", "text_encoder", "download"),
    *("directions", "truncation"),
)
_RUNTIME = ("batch_size", "device", "backend", "precision", "cache")


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
        **_given(vars(options), _RUNTIME),
    )
    for diagnosis in found.values():
        print(diagnosis.table(), end="\n\n")
    print(f"Open {options.out / 'index.html'}")


def _diagnose(options: argparse.Namespace) -> None:
    values = read_config(options.config) if options.config else {}
    if "threads" in values and options.threads is None:
        _use_threads(values["threads"])
    values |= {key: value for key, value in vars(options).items() if value is not None}
    _require(values, ["generator", "target", "out"], "diagnose")
    if options.templates and len(options.templates) == 1 and "{}" not in options.templates[0]:
        values["templates"] = options.templates[0]  # the name of a set
    values["target_options"] = _target_options(values)
    values["search_options"] = _search_options(values)
    settings, run = AuditSettings(**_given(values, OPTIONS)), RunSettings(**_given(values, RUN_OPTIONS))
    # What `Diagnoser` and its `run` would refuse without any model: here it takes no second.
    check_folder(values["out"])
    check_cache(Path(settings.cache or default_cache()))
    check_config(values["out"], {**run.deciding(), **settings.deciding()})
    with _starting():
        from zoom_engine.diagnoser import Diagnoser

    diagnosis = Diagnoser(settings, progress=forced, notify=tell).run(**_given(vars(run), RUN_OPTIONS))
    print(diagnosis.table())
    print(f"\nOpen {Path(values['out']) / 'report.html'}")


def _search_options(values: dict[str, Any]) -> dict[str, Any] | None:
    """`search_options` of a configuration file, with the command line's over them."""
    options = {**values.get("search_options", {}), **dict(values.get("search_option", ())), **_given(values, ["steps"])}
    return options or None


def _edit(options: argparse.Namespace) -> None:
    _require(vars(options), ["attributes"], "edit")
    with _starting():
        from zoom_engine.experiments.edit_sheet import write_edit_sheet

    given = _given(vars(options), [*_DRAWN, "weights", "seeds"])
    ranges = write_edit_sheet(options.out, progress=forced, **given)
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
    _require(vars(options), ["target"], "view")
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
    from zoom_engine.audit.diagnosis import Diagnosis
    from zoom_engine.report import write_report

    print(Diagnosis.load(options.audit).table())
    print(f"\nOpen {write_report(options.audit)}")


def _info(options: argparse.Namespace) -> None:
    from zoom_engine.info import describe

    print(describe())


def _require(values: Mapping[str, Any], names: Iterable[str], command: str) -> None:
    for name in names:
        if values.get(name) is None:
            flag = {**OPTIONS, **RUN_OPTIONS}[name].name or name
            raise ConfigError(f"--{flag} is missing; see zoom-engine {command} --help")


def _given(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if values.get(name) is not None}


def _numbers(text: str) -> list[float]:
    with _wanting("numbers such as 0.5 or -1,1", text):
        return [float(part) for part in text.split(",")]


def _loss_weights(text: str) -> LossWeights:
    with _wanting("three numbers, of L_target, L_struct and L_attr, such as 50,10,1", text):
        target, structure, label = (float(part) for part in text.split(","))
    return LossWeights(target=target, structure=structure, label=label)


def _named(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as TOML has it; else a text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"write NAME=VALUE, such as step_size=0.5, not {text!r}")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


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
