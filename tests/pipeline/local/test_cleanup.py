"""What `crowdflow clean` removes, and what it leaves alone."""

from crowdflow.pipeline.local.cleanup import clean


def make(folder, *files):
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_in_the_serving_folder_only_what_runs_made_is_removed(tmp_path):
    serving = tmp_path / "serving" / "crowdflow"
    versions = [f"{number}/saved_model.pb" for number in (7, 8, 9)]
    make(serving, *versions, "6/variables/index", ".push-10/saved_model.pb", ".trash-5/x")
    foreign = [".bad-7/saved_model.pb", "models.config", "canary/saved_model.pb", "7-kept/x"]
    make(serving, *foreign)
    told = {str(path) for path, _ in clean(tmp_path, keep=2)}
    assert told == {f"serving/crowdflow/{name}" for name in ("7", "6", ".push-10", ".trash-5")}
    left = {path.relative_to(serving).parts[0] for path in serving.rglob("*")}
    assert left == {"8", "9", ".bad-7", "models.config", "canary", "7-kept"}
