"""The rows of a report's runs.csv, and those in its page, against the logs."""

import csv

from report_logs import close


def check_csv(data, runs, report):
    written = list(csv.DictReader((report / "runs.csv").open()))
    columns = data["runs"]["columns"]
    assert len(written) == len(data["runs"]["rows"])
    expected = {}
    for run in runs:
        total = 0
        for epoch in run["epochs"]:
            total += epoch["examples"]
            expected[(run["end"]["configuration_sha256"], epoch["epoch"])] = (run["end"], epoch, total)
    for line, row in zip(written, data["runs"]["rows"]):
        assert list(line) == columns
        if line["epoch"] == "0":
            continue
        end, epoch, total = expected.pop((line["configuration_sha256"], int(line["epoch"])))
        for values in (line, dict(zip(columns, row))):
            for key in ("step", "examples", "seconds", "train_loss", "train_accuracy", "test_loss", "test_accuracy"):
                # Decisions that were not made in training have no accuracy.
                close(epoch[key], None if values[key] in ("", None) else float(values[key]), key)
            assert float(values["examples_so_far"]) == total
            assert float(values["batch_size"]) == end["batch_size"] and float(values["seed"]) == end["seed"]
            for key in ("dataset", "dataset_sha256", "status"):
                assert values[key] == end[key]
            assert values["weights_sha256"] == epoch["weights_sha256"]
    assert not expected, f"not in runs.csv: {list(expected)}"
