"""OpenVINO on the CPU: compiled for one image, several images at a time on streams of their own.

Every image is computed alone, so a picture does not depend on the batch that it is made in; static shapes and threads
that need not wait for one another also made it up to twice as fast as batches of open size. A single image gets all
threads where there are more than `FEW_THREADS`. A network whose weights take longer to read than to multiply is given
several images at a time, if its answers stay the same to the bit (`OpenVinoSession.take_together`).

One batch runs at a time: requests hold the batch that they compute, and threads may share a session. In a forked child
it compiles again.

In bfloat16 the operators that the graph marks stay in float32 (`zoom_engine.runtime.graphs.float32_nodes`).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.common.errors import BackendError, one_line
from zoom_engine.common.threads import Turns, keeping_signal_stack, leave_behind, tell_of_forks
from zoom_engine.runtime.compiled_cache import CompiledCache
from zoom_engine.runtime.graphs import float32_nodes
from zoom_engine.runtime.session import import_runtime, ready

HINTS = {"fp32": "f32", "bf16": "bf16"}
MOST_STREAMS = 8  # each needs memory for the activations of one image
FEW_THREADS = 2  # a network of one stream would hold the weights once more, and a single image is seldom alone


class OpenVinoSession:
    """A session of OpenVINO, see `zoom_engine.runtime.session.Session`."""

    def __init__(
        self,
        model: bytes | Any,
        *,
        precision: str = "fp32",
        threads: int | None = None,
        cache: Path | None = None,
        identity: str | None = None,
        batched: bool = False,
    ) -> None:
        """Compile the model.

        Args:
            model: a serialised ONNX model whose inputs and outputs are float32 with the batch first; or OpenVINO's own,
                for one image, or a function that gives either each time that it is compiled.
            precision: "fp32" or "bf16", of the arithmetic; asked for explicitly and read back.
            threads: in all; by default torch's number.
            cache: the folder for compiled models; None keeps none.
            identity: what tells a model that is no bytes from others; without it such a model is not kept on disk.
            batched: run whole batches, and take inputs whose first axis is not the batch.

        Raises:
            BackendError: the package is missing, refuses the model, or computes in another precision.
        """
        self._openvino = import_runtime("openvino")
        if precision not in HINTS:
            raise BackendError(f"backend 'openvino' has no precision {precision}; choose one of {', '.join(HINTS)}")
        self.model, self._precision = model, precision
        self._identity = model if isinstance(model, bytes) else identity
        self._cache = CompiledCache(None if self._identity is None else cache)
        self._read: set[Path] = set()  # what another process compiled
        self._threads = threads or torch.get_num_threads()
        self._batched = batched
        self._streams = 1 if batched else min(self._threads, MOST_STREAMS)
        self._together = 1
        self._turns = Turns()
        self._begin()
        tell_of_forks(self)
        compiled = self._compiled(self._streams)
        self.settings: dict[str, Any] = {
            "version": self._openvino.__version__,
            "device": str(self._core.get_property("CPU", "FULL_DEVICE_NAME")),
            "threads": self._threads,
            "streams": self._streams,
            "precision": compiled.get_property("INFERENCE_PRECISION_HINT").to_string(),
            "convolutions": convolutions(compiled),
        }
        if self.settings["precision"] != HINTS[precision]:
            raise BackendError(
                f"backend 'openvino' cannot compute in {precision} here: it would use {self.settings['precision']}"
            )

    def _begin(self) -> None:
        """Begin with nothing compiled."""
        self._core: Any = None
        # By the number of streams and of images that a request takes, as are the requests.
        self._networks: dict[tuple[int, int], Any] = {}
        self._requests: dict[tuple[int, int], list[Any]] = {}
        self._mapped: dict[tuple[int, int], object] = {}  # what networks from disk lie in

    def forked(self) -> None:
        """Leave the parent's networks behind and begin again, see `zoom_engine.common.threads`."""
        leave_behind(self._core, self._networks, self._requests, self._mapped)
        self._begin()

    @property
    def from_disk(self) -> bool:
        """Return whether any of it was compiled by another process."""
        return bool(self._read)

    def drop_from_disk(self) -> None:
        """Delete the files that were read, of which this session turned out to answer wrongly."""
        for path in self._read:
            path.unlink(missing_ok=True)

    def note(self, inputs: Tensor, rows: Tensor) -> None:
        """Keep float32 `rows` that were found out about `inputs`, where the compiled model is kept."""
        if (path := self._place_of(inputs)) is not None:
            self._cache.write(path, rows.numpy().tobytes())

    def noted(self, inputs: Tensor, like: Tensor) -> Tensor | None:
        """Return what `note` kept about `inputs`, a row for each of them that is `like` these; None without."""
        path = self._place_of(inputs)
        content = None if path is None else self._cache.read(path)
        if content is None or len(content) != len(inputs) * like[:1].numel() * like.element_size():
            return None
        return torch.frombuffer(bytearray(content), dtype=torch.float32).view(len(inputs), *like.shape[1:])

    def _place_of(self, inputs: Tensor) -> Path | None:
        if self._identity is None:
            return None
        shown = hashlib.sha256(inputs.contiguous().numpy().tobytes()).hexdigest()
        about = {**self._depends_on(self._streams, 1), "inputs": shown}
        return self._cache.path(self._identity, suffix=".noted", **about)

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name for inputs by name, see `Session.run`."""
        inputs, count = ready(feeds, "cpu")
        arrays = {name: value.numpy() for name, value in inputs.items()}
        with self._turns.taken():
            return self._run(arrays, count)

    def _run(self, arrays: dict[str, Any], count: int) -> dict[str, Tensor]:
        if self._batched:
            made = self._compiled(1)(arrays)
            return {name: torch.from_numpy(value.copy()) for port, value in made.items() for name in port.get_names()}
        alone = count == 1 and self._threads > FEW_THREADS
        streams, images = (1, 1) if alone else (self._streams, self._together)
        ports = self._compiled(streams, images).outputs
        outputs = {port.any_name: np.empty((count, *tuple(port.shape)[1:]), dtype=np.float32) for port in ports}
        self._fill(outputs, arrays, range(0, count, images), streams, images)
        # An output that an operator makes which changes nothing has the name of its input too.
        return {name: torch.from_numpy(outputs[port.any_name]) for port in ports for name in port.get_names()}

    def take_together(self, images: int, probes: Mapping[str, Tensor]) -> bool:
        """Give a request `images` at a time from now on, if that changes no answer, and return whether it does so.

        The last request is filled up with its last image: what is compiled for one alone would hold all weights again.

        Args:
            images: how many.
            probes: inputs as `run` takes them, at least `images`; the answers must be the same to the bit.
        """
        inputs, count = ready(probes, "cpu")
        whole, streams = count - count % images, self._streams
        arrays = {name: value.numpy()[:whole] for name, value in inputs.items()}
        with self._turns.taken():
            try:
                self._compiled(streams, images)
                alone = {name: rows.numpy() for name, rows in self._run(arrays, whole).items()}
                outputs = {name: np.empty_like(rows) for name, rows in alone.items()}
                self._fill(outputs, arrays, range(0, whole, images), streams, images)
                same = all(np.array_equal(rows, alone[name]) for name, rows in outputs.items())
            except (BackendError, RuntimeError, ValueError):  # a size that was traced
                same = False
            if same:
                self._together = images
            dropped = streams, 1 if same else images
            for compiled in (self._requests, self._networks, self._mapped):
                compiled.pop(dropped, None)
        return same

    def _fill(self, outputs: dict[str, Any], inputs: dict[str, Any], starts: range, streams: int, images: int) -> None:
        """Compute the rows of `outputs` from each of `starts`, `images` of them by one request, fewer at the end."""
        requests = self._free_requests(streams, images) if starts else []
        for place in range(len(starts) + len(requests)):  # each waits for its last rows before it takes the next
            request, done = requests[place % len(requests)], place - len(requests)
            if 0 <= done < len(starts):
                request.wait()
                for name, rows in outputs.items():
                    wanted = rows[starts[done] : starts[done] + images]
                    wanted[:] = request.get_tensor(name).data[: len(wanted)]
            if place < len(starts):
                asked = slice(starts[place], starts[place] + images)
                request.start_async({name: _filled_up(value[asked], images) for name, value in inputs.items()})

    def _free_requests(self, streams: int, images: int) -> list[Any]:
        key = streams, images
        if key not in self._requests:
            self._requests[key] = [self._compiled(*key).create_infer_request() for _ in range(streams)]
        return self._requests[key]

    def _compiled(self, streams: int, images: int = 1) -> Any:
        key = streams, images
        if key not in self._networks:
            with keeping_signal_stack():
                self._networks[key] = self._compile(*key)
        return self._networks[key]

    def _config(self, streams: int) -> dict[str, Any]:
        return {
            "INFERENCE_PRECISION_HINT": HINTS[self._precision],
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # two runs on one machine would be pinned to the same cores
        }

    def _depends_on(self, streams: int, images: int) -> dict[str, Any]:
        """Return what a compiled model depends on beside the model, ready for JSON."""
        version = f"openvino {self._openvino.__version__}"
        return {"runtime": version, "batched": self._batched, "images": images, **self._config(streams)}

    def _compile(self, streams: int, images: int) -> object:
        self._core = self._core or self._openvino.Core()
        stored = None
        if self._identity is not None:
            stored = self._cache.path(self._identity, suffix=".openvino", **self._depends_on(streams, images))
        if stored is not None and (existing := self._cache.find(stored)) is not None:
            if images > 1 and not existing.stat().st_size:
                raise BackendError(f"backend 'openvino' cannot run {images} images of this model together")
            # A damaged file is as good as none: it is written anew.
            with contextlib.suppress(RuntimeError, ValueError, OSError):
                compiled = self._imported(existing, streams, images)
                self._read.add(stored)
                return compiled
        compiled = self._compiled_anew(streams, images, stored)
        if stored is None:
            return compiled
        with self._cache.writing(stored) as file:
            compiled.export_model(_Into(file))  # without an argument it returns bytes or a stream, by version
        # What was compiled holds the model's weights beside its own; what is read from the file does not.
        del compiled
        with contextlib.suppress(RuntimeError, ValueError, OSError):
            return self._imported(stored, streams, images)
        return self._compiled_anew(streams, images, None)

    def _imported(self, stored: Path, streams: int, images: int) -> Any:
        """Return what is compiled in a file; its pages lie in memory no longer than they are looked at."""
        with stored.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        content = self._openvino.Tensor(np.frombuffer(mapped, dtype=np.uint8), shared_memory=True)
        compiled = self._core.import_model(content, "CPU", self._config(streams))
        if hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)  # what is looked at again is read again
        self._mapped[streams, images] = content
        return compiled

    def _compiled_anew(self, streams: int, images: int, stored: Path | None) -> Any:
        """Compile the model; note in the place of what would be stored where it takes no such number of images."""
        try:
            model = self.model() if callable(self.model) else self.model
            network = self._core.read_model(model) if isinstance(model, bytes) else model.clone()
            if not self._batched:
                network.reshape({port.any_name: [images, *list(port.partial_shape)[1:]] for port in network.inputs})
            with self._marked(network) as ready_network:
                return self._core.compile_model(ready_network, "CPU", self._config(streams))
        except RuntimeError as error:
            if stored is not None and images > 1:  # of a size that was traced: it need not be tried again
                self._cache.write(stored, b"")
            raise BackendError(f"backend 'openvino' cannot run this model: {one_line(error)}") from error

    @contextlib.contextmanager
    def _marked(self, network: object) -> Iterator[object]:
        """Yield `network`, its operators that should stay in float32 marked as "precise"."""
        marked = self._precision == "bf16" and isinstance(self.model, bytes)
        names = float32_nodes(onnx.load_from_string(self.model)) if marked else set()
        if not names:
            yield network
            return
        # Only a file can say that.
        with tempfile.TemporaryDirectory() as folder:
            xml, weights = Path(folder, "model.xml"), Path(folder, "model.bin")
            self._openvino.serialize(network, xml, weights)
            tree = ElementTree.parse(xml)
            for layer in tree.iter("layer"):
                if layer.get("name", "").partition("/")[0] in names and layer.get("type") != "Const":
                    existing = layer.find("rt_info")
                    info = ElementTree.SubElement(layer, "rt_info") if existing is None else existing
                    ElementTree.SubElement(info, "attribute", name="precise", version="0")
            tree.write(xml)
            yield self._core.read_model(xml, weights)


class _Into(io.BytesIO):
    """A file as a stream of the one kind that OpenVINO writes to, which would hold all weights once more."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def _filled_up(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the rows with their last one repeated until there are so many."""
    return rows if len(rows) == count else np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def convolutions(compiled: Any) -> dict[str, int]:
    """Count the convolutions of a compiled model by the type that computes them, as `{"bf16": 12, "f32": 9}`."""
    counts: Counter[str] = Counter()
    for operator in compiled.get_runtime_model().get_ordered_ops():
        info = operator.get_rt_info()
        if info["layerType"].astype(str) in ("Convolution", "Deconvolution"):
            counts[info["runtimePrecision"].astype(str)] += 1
    return dict(sorted(counts.items()))


def open_session(model: bytes, *, backend: str, precision: str, device: str, cache: Path | None) -> OpenVinoSession:
    """Open a session on the CPU, see `zoom_engine.common.backends.Runtime`."""
    return OpenVinoSession(model, precision=precision, cache=cache)
