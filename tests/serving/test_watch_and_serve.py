"""Next month: many files, a history with a promise that is watched, and the same rows over HTTP."""

import io
import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest
import uvicorn

from flowlab.__main__ import main
from flowlab.commands.watch import BROKEN
from flowlab.detection.monitor import Monitor
from flowlab.serving.http import make_service

TRAIN = ["--model", "gaussian", "--rule", "conformal", "--rule-set", "rate=0.02"]


def table(n: int, seed: int, spread: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(scale=spread, size=(n, 3)).round(4), columns=["a", "b", "c"])
    return frame.assign(city=rng.choice(["Rome", "Kyiv"], n))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a trained detector."""
    folder = tmp_path_factory.mktemp("plant")
    table(3000, 0).to_csv(folder / "train.csv", index=False)
    assert main(["train", str(folder / "train.csv"), "-o", str(folder / "plant.detector"), *TRAIN]) == 0
    return folder


def test_many_files_are_scored_to_a_folder_as_each_alone(folder, capsys):
    for i in range(3):
        table(50, i + 1).to_csv(folder / f"part{i}.csv", index=False)
    detector, pattern, out = (str(folder / name) for name in ("plant.detector", "part*.csv", "out"))
    assert main(["score", detector, pattern, "-o", out]) == 0
    assert capsys.readouterr().out.count("50 rows scored") == 3
    for i in range(3):
        assert main(["score", detector, str(folder / f"part{i}.csv"), "-o", str(folder / "alone.csv")]) == 0
        assert (folder / "out" / f"part{i}_scored.csv").read_bytes() == (folder / "alone.csv").read_bytes()
    assert main(["score", detector, str(folder / "none*.csv"), "-o", out]) == 1
    assert "no file is named" in capsys.readouterr().err


def test_files_with_the_same_columns_are_trained_on_as_one_and_others_refused(folder, capsys):
    whole, detector = table(3000, 0), str(folder / "halves.detector")
    whole.iloc[:1500].to_csv(folder / "half0.csv", index=False)
    whole.iloc[1500:, ::-1].to_feather(folder / "half1.feather")
    capsys.readouterr()
    assert main(["train", str(folder / "half*"), "-o", detector, *TRAIN]) == 0
    parts = [line for line in capsys.readouterr().out.splitlines() if "flagged" in line]
    assert main(["train", str(folder / "train.csv"), "-o", detector, *TRAIN]) == 0
    assert parts == [line for line in capsys.readouterr().out.splitlines() if "flagged" in line]
    whole.rename(columns={"a": "z"}).to_csv(folder / "other.csv", index=False)
    assert main(["train", str(folder / "train.csv"), str(folder / "other.csv"), "-o", detector]) == 1
    assert "other.csv lacks 'a' and has 'z' beside them" in capsys.readouterr().err


def test_the_promise_is_watched_over_files_and_a_break_is_told(folder, capsys):
    detector = str(folder / "plant.detector")
    for i in range(4):
        table(800, 10 + i).to_csv(folder / f"month{i}.csv", index=False)
    months = [str(folder / f"month{i}.csv") for i in range(4)]
    assert main(["watch", detector, *months]) == 0
    assert main(["watch", detector, *months]) == 0
    out = capsys.readouterr().out
    assert out.count("seen before") == 4 and "is in keeping with what was seen" in out
    history = (folder / "plant.detector.history.jsonl").read_text().splitlines()
    assert [json.loads(line)["rows"] for line in history] == [800] * 4
    table(800, 20, spread=1.6).to_csv(folder / "month4.csv", index=False)
    told = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        waiting = threading.Thread(target=server.handle_request)
        waiting.start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert main(["watch", detector, str(folder / "month4.csv"), "--webhook", address]) == BROKEN
        waiting.join(10)
    broken = capsys.readouterr().out
    assert "has been broken since about row" in broken and told[0]["broken"] in broken
    monitor = Monitor.from_record(
        json.loads((folder / "plant.detector.history.jsonl").read_text().splitlines()[-1])["monitor"]
    )
    assert monitor.n_rows == 4000 and 3000 < monitor.broken_since < monitor.broken_at < 4000
    assert main(["watch", detector, months[0], "--restart"]) == 0, "a new monitor has seen nothing yet"


def test_what_cannot_be_watched_is_said_in_a_sentence(folder, capsys):
    detector, file = str(folder / "plant.detector"), str(folder / "train.csv")
    (folder / "bad.jsonl").write_text("nonsense\n")
    assert main(["watch", detector, file, "--history", str(folder / "bad.jsonl")]) == 1
    assert main(["watch", detector, file, "--webhook", "file:///etc/passwd"]) == 1
    assert main(["watch", detector, file, "--error", "2"]) == 1
    assert capsys.readouterr().err.count("flowlab: ") == 3


def test_groups_of_the_command_line_have_thresholds_of_their_own(folder, capsys):
    detector, out = str(folder / "grouped.detector"), str(folder / "grouped.csv")
    assert main(["train", str(folder / "train.csv"), "-o", detector, *TRAIN, "--by-group", "city"]) == 0
    assert "2 of 2 groups of city have a threshold of their own" in capsys.readouterr().out
    assert main(["score", detector, str(folder / "train.csv"), "-o", out, "--no-reasons"]) == 0
    scored = pd.read_csv(out)
    assert scored.groupby("city")["threshold"].nunique().tolist() == [1, 1] and scored["threshold"].nunique() == 2
    assert ((scored["anomaly_score"] >= scored["threshold"]) == (scored["flagged"] == 1)).all()


def test_rules_of_people_travel_with_the_detector_and_are_the_reason(folder, capsys):
    detector, file, out = (str(folder / name) for name in ("ruled.detector", "ruled.csv", "ruled_out.csv"))
    given = ["--never", "city = Rome", "--always", "a > 1 and c < 0"]
    assert main(["train", str(folder / "train.csv"), "-o", detector, *TRAIN, *given]) == 0
    new = table(400, 6)
    new.loc[0, ["a", "city"]], new.loc[1, ["a", "city"]] = [30.0, "Rome"], [30.0, "Kyiv"]
    new.to_csv(file, index=False)
    assert main(["score", detector, file, "-o", out]) == 0
    scored = pd.read_csv(out)
    always = (scored["city"] != "Rome") & (scored["a"] > 1) & (scored["c"] < 0)
    assert scored["flagged"][0] == 0 and scored["rule"][0] == "never flagged when city = Rome"
    assert scored["flagged"][1] == 1 and (scored.loc[scored["city"] == "Rome", "flagged"] == 0).all()
    assert always.sum() > 10 and (scored.loc[always, "flagged"] == 1).all()
    assert (scored.loc[always, "rule"] == "always flagged when a > 1 and c < 0").all()
    assert scored.loc[(scored["city"] != "Rome") & ~always, "rule"].isna().all()
    capsys.readouterr()
    assert main(["train", str(folder / "train.csv"), "-o", detector, *TRAIN, "--never", "town = Rome"]) == 1
    assert "asks for the column 'town'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def service(folder):
    """The address of a service that asks for a token and takes 100 kB."""
    app = make_service((folder / "plant.detector").read_bytes(), token="secret", max_bytes=100_000)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def ask(address, body=None, token="secret", **headers):
    """Status and body of the answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()} | {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, named), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_csv_comes_back_as_the_command_line_writes_it(folder, service):
    new = table(100, 5)
    new.loc[3, ["a", "city"]] = [9.0, "Oslo"]
    new.to_csv(folder / "new.csv", index=False)
    assert (
        main(["score", str(folder / "plant.detector"), str(folder / "new.csv"), "-o", str(folder / "new_out.csv")]) == 0
    )
    status, scored = ask(f"{service}/score", (folder / "new.csv").read_bytes(), Content_Type="text/csv")
    assert status == 200 and scored == (folder / "new_out.csv").read_bytes()
    buffer = io.BytesIO()
    new.to_parquet(buffer)
    status, of_parquet = ask(f"{service}/score", buffer.getvalue(), Content_Type="application/octet-stream")
    rows = json.dumps({"rows": new.to_dict("records")}).encode()
    status_of_json, of_json = ask(f"{service}/score", rows, Content_Type="application/json")
    assert status == status_of_json == 200
    expected, found = pd.read_csv(io.BytesIO(scored)), json.loads(of_json)
    np.testing.assert_allclose([row["anomaly_score"] for row in found["scores"]], expected["anomaly_score"])
    np.testing.assert_allclose(pd.read_csv(io.BytesIO(of_parquet))["p_value"], expected["p_value"])
    row = found["scores"][3]
    assert row["flagged"] == 1 and "city Oslo is new" in row["novelty"] and "a 9" in row["reason_1"] + row["reason_2"]
    assert found["flagged"] == expected["flagged"].sum() and found["rows"] == 100


@pytest.mark.parametrize(
    "body, kind, status, words",
    [
        (b"x,y\n1,2\n", "text/csv", 422, "columns that the file lacks"),
        (b"{", "application/json", 422, "is not JSON"),
        (b"[1]", "application/json", 422, "a list of objects"),
        (b'[{"a": [1]}]', "application/json", 422, "is a number, a text"),
        (b"a" * 100_001, "text/csv", 413, "longer than 100,000 bytes"),
        (b"x", "image/png", 415, "not image/png"),
    ],
)
def test_what_cannot_be_scored_is_answered_in_a_sentence(service, body, kind, status, words):
    found, answer = ask(f"{service}/score", body, Content_Type=kind)
    assert found == status and words in json.loads(answer)["error"]


def test_a_token_is_asked_for_and_health_is_told_to_everybody(service):
    assert ask(f"{service}/score", b"x", token="guess")[0] == 401 and ask(f"{service}/version", token="")[0] == 401
    assert ask(f"{service}/health", token="")[0] == 200
    told = json.loads(ask(f"{service}/version")[1])
    assert told["model"] == "One Gaussian" and told["training_rows"] > 0 and told["flowlab"]
