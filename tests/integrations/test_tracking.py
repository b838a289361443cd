"""Audits in MLflow: settings, figures and files of a finished one, in a store of this machine."""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from audits import manifest
from edited import red, write_pairs
from simulated import simulated

from zoom_engine import Diagnoser
from zoom_engine.audit.records import Record
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, TrackingError
from zoom_engine.integrations.model_index import model_index
from zoom_engine.integrations.tracking import EXPERIMENT, metrics, parameters, tags, track
from zoom_engine.report.source import Source
from zoom_engine.statistics.diagnosis import Diagnosis


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    result = simulated(images=20, baseline=0.01, path=tmp_path_factory.mktemp("audits") / "audit")
    assert result.path is not None
    (result.path / "report.html").write_text("<p>the report</p>")
    (result.path / "images").mkdir()
    (result.path / "images" / "1.png").write_bytes(b"png")
    return result


def together() -> Diagnosis:
    """An audit of three attributes edited together, which flips each of three images decisively."""
    edited = {"edit_weights": [9.0, 1.0, 0.0], "change": 0.2, "flipped": True, "decisive": True}
    of_image = {"attribute": None, "original_output": [0.4], "output": [0.6], "label_kept": None, "ssim": 0.9}
    records = (Record.from_json({"image": image, "seed": image, **edited, **of_image}) for image in range(3))
    return Diagnosis(manifest("multi", images=3, bound=10), tuple(records))


def test_settings_and_figures_have_names_that_servers_take(audit: Diagnosis) -> None:
    asked = dict(parameters(audit))
    assert asked["target"] == "avatars:mustache"
    assert asked["attributes"].startswith("a smiling face; a face with pale skin|a pale face; ")
    assert asked["images"] == "20"
    results = dict(metrics(audit))
    row = audit.sensitivity[0]
    assert row.interval is not None
    assert results["sensitivity/eyeglasses"] == row.mean_change
    assert (results["sensitivity_low/eyeglasses"], results["sensitivity_high/eyeglasses"]) == row.interval
    assert results["sensitive"] == sum(row.verdict == "sensitive" for row in audit.sensitivity)
    parts = {name.partition("/")[0] for name in results if "/" in name}
    assert not parts & results.keys(), "in a store of files they would be a folder and a file"
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_./ -") for name in results)
    assert "a face with eyeglasses" in dict(tags(audit))["sensitive"]
    assert "owner" not in dict(tags(audit))
    assert dict(tags(audit))["audit_id"] == audit.about.audit_id


def test_each_attribute_has_metrics_of_its_own_in_a_folder_of_their_kind() -> None:
    """Two of one short name had one, with the numbers of the last; a "/" made a folder of another's file."""
    texts = ("a smiling face", "a face smiling", "a face with black", "a face with black/brown hair", "a face ..")
    audit = simulated(images=4, attributes=texts, means=(0.3, 0.01, 0.1, 0.1, 0.1))
    results = {name: value for name, value in metrics(audit) if name.startswith("sensitivity/")}
    assert sorted(results.values()) == sorted(row.value for row in audit.sensitivity)
    assert all(name.count("/") == 1 for name in results)
    names = [name.partition("/")[2] for name in results]
    assert {"black", "black_brown hair"} < set(names)
    assert [name for name in names if name.startswith("a-smiling-face-")]
    assert ".." not in names


def test_no_attribute_counts_as_specific_without_random_edits() -> None:
    """All that were sensitive did, as of an audit with corruptions, though its report says it of none."""
    results = dict(metrics(simulated(images=100)))
    assert results["sensitive"] > 0
    assert "specific" not in results
    assert dict(metrics(simulated(images=100, baseline=0.01)))["specific"] == 0, "two random directions are too few"


def test_an_attribute_of_many_words_has_a_metric_that_servers_take() -> None:
    """Of 300 characters, which a prompt may have, none was: the run was marked as failed."""
    texts = ("a face with" + " curly" * 48, "a face with " + "鬈髪" * 60, "an old face")
    names = [name for name, _ in metrics(simulated(images=4, attributes=texts, means=(0.3, 0.01, 0.1)))]
    assert len([name for name in names if name.startswith("sensitivity/")]) == 3
    assert max(len(name.encode()) for name in names) <= 250


def test_how_far_attributes_are_moved_together_is_no_sensitivity_and_no_verdict() -> None:
    """A share of the range was logged as a sensitivity, and a run whose images all flip as sensitive to nothing."""
    audit = together()
    results, told = dict(metrics(audit)), dict(tags(audit))
    assert (results["decisive_flip_rate"], results["range_share/a smiling face"]) == (1.0, 0.9)
    assert not [name for name in results if name.startswith(("sensitiv", "specific", "inconclusive"))]
    assert "sensitive" not in told
    with pytest.raises(AuditError, match="edits all attributes together"):
        model_index([audit], "mustaches")


def test_no_file_from_elsewhere_comes_along(audit: Diagnosis, tmp_path: Path) -> None:
    """What a link leads to was sent to the server: the folder may be somebody else's."""
    assert audit.path is not None
    (tmp_path / "secret").write_text("precious")
    for name in ("images/2.png", "photographs.json"):
        shutil.copytree(audit.path, tmp_path / "audit")
        (tmp_path / "audit" / name).symlink_to(tmp_path / "secret")
        with pytest.raises(AuditError, match="is no plain file"):
            track(Diagnosis.load(tmp_path / "audit"), f"file:{tmp_path / 'runs'}")
        shutil.rmtree(tmp_path / "audit")


def test_what_is_not_finished_is_not_tracked(tmp_path: Path, audit: Diagnosis) -> None:
    with pytest.raises(AuditError, match="no finished audit"):
        track(simulated(images=2), "file:nowhere")
    assert audit.path is not None
    (tmp_path / "a").mkdir()
    for file in ("manifest.json", "records.jsonl"):
        (tmp_path / "a" / file).write_bytes((audit.path / file).read_bytes())
    with pytest.raises(AuditError, match="no finished audit"):
        track(Diagnosis.load(tmp_path / "a"), f"file:{tmp_path / 'runs'}")


def test_an_audit_that_lost_a_record_is_not_finished(tmp_path: Path) -> None:
    """A damaged line is to be deleted; the audit was then called inconclusive for too few images, and tracked so."""
    path = simulated(images=20, baseline=0.01, path=tmp_path / "audit").path
    assert path is not None
    assert Diagnosis.load(path).finished
    lines = (path / "records.jsonl").read_bytes().splitlines(keepends=True)
    (path / "records.jsonl").write_bytes(b"".join(lines[1:]))
    assert Source(path).first_screen.headline == "Not finished: 119 of 120 measurements done"
    with pytest.raises(AuditError, match="no finished audit"):
        track(Diagnosis.load(path), f"file:{tmp_path / 'runs'}")


def test_without_mlflow_one_line_says_what_to_install(
    audit: Diagnosis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackingError, match=r"pip install 'zoom-engine\[tracking\]'"):
        track(audit, "file:nowhere")
    assert main(["track", str(audit.path), "--mlflow", "file:nowhere"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("default")  # MLflow's own
def test_a_store_of_this_machine_holds_the_audit(
    audit: Diagnosis, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database would take more than the client
    uri = f"file:{tmp_path / 'runs'}"
    assert main(["track", str(audit.path), "--mlflow", uri, "--experiment", "releases", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    client = importlib.import_module("mlflow").MlflowClient(tracking_uri=uri)
    run = client.get_run(told["run"])
    assert client.get_experiment(run.info.experiment_id).name == "releases"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "avatars:mustache")
    assert run.data.metrics == dict(metrics(audit))
    assert run.data.params == dict(parameters(audit))
    files = {file.path for file in client.list_artifacts(told["run"])}
    assert {"manifest.json", "summary.json", "records.jsonl", "report.html", "images"} <= files
    again = track(audit, uri, experiment="releases", name="again")
    assert client.get_run(again).info.experiment_id == run.info.experiment_id
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match="cannot keep"):
        track(audit, f"file:{tmp_path / 'file'}")


def mlflow_of_others(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Put a stand-in in the place of MLflow, and return its client."""
    client = MagicMock()
    fakes = {"mlflow": MagicMock(MlflowClient=lambda **_: client), "mlflow.entities": MagicMock()}
    for name, fake in {**fakes, "mlflow.exceptions": MagicMock(MlflowException=RuntimeError)}.items():
        monkeypatch.setitem(sys.modules, name, fake)
    return client


@pytest.mark.parametrize("scheme", ["https", "postgresql+psycopg2"])
def test_the_password_of_a_store_is_not_told(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client, uri = mlflow_of_others(monkeypatch), f"{scheme}://me:secret@host/runs"
    path = simulated(images=2, path=tmp_path / "audit").path
    assert main(["track", str(path), "--mlflow", uri]) == 0
    assert capsys.readouterr().out.endswith(f" at {scheme}://USER:PASSWORD@host/runs\n")
    client.create_run.side_effect = RuntimeError(f"cannot reach {uri}")
    with pytest.raises(TrackingError, match="cannot reach") as refused:
        track(Diagnosis.load(tmp_path / "audit"), uri)
    assert "secret" not in str(refused.value)


def test_an_audit_without_pictures_is_tracked_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was saved from memory has no folder of pictures, which was to be sent: the run was marked as failed."""
    client = mlflow_of_others(monkeypatch)
    client.log_artifacts.side_effect = lambda run, folder, into: list(Path(folder).iterdir())  # as stores read it
    track(simulated(images=2, path=tmp_path / "audit"), "file:nowhere")
    client.log_artifacts.assert_not_called()
    client.set_terminated.assert_called_once()


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("default")  # MLflow's own
def test_a_run_whose_files_do_not_arrive_is_marked_as_failed(
    audit: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri, client_of = f"file:{tmp_path / 'runs'}", importlib.import_module("mlflow").MlflowClient

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(client_of, "log_artifacts", full)
    with pytest.raises(TrackingError, match="no space left"):
        track(audit, uri)
    client = client_of(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert run.info.status == "FAILED"


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("default")  # MLflow's own
def test_a_store_of_this_machine_holds_an_audit_of_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    out, uri = tmp_path / "audit", f"file:{tmp_path / 'runs'}"
    audit = Diagnoser(pairs=write_pairs(tmp_path / "pairs"), target=red, model_version="1.4").run(out=out)
    assert main(["track", str(out), "--mlflow", uri, "--json"]) == 0
    client = importlib.import_module("mlflow").MlflowClient(tracking_uri=uri)
    run = client.get_run(json.loads(capsys.readouterr().out)["run"])
    rows = {row.attribute.text: row for row in audit.sensitivity}
    assert set(rows) == {"red", "blue"}
    for name, row in rows.items():
        assert run.data.metrics[f"sensitivity/{name}"] == row.value
    assert run.data.metrics["random_edits"] > 0, "the table's controls stand there"
    assert not {"generator", "seed"} & run.data.params.keys()
    assert run.data.tags["model_version"] == "1.4"
    client.download_artifacts(run.info.run_id, "", str(tmp_path))
    assert Diagnosis.load(tmp_path).records == audit.records
