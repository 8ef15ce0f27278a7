"""scripts/slurm_generate.sh: two tasks of an array, told apart by SLURM's variables alone, make one dataset."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from synth.verify import verify_dataset

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "slurm_generate.sh"


@pytest.fixture
def start(tmp_path):
    """Starts one task of the array on a small job; the dataset goes to ``out``."""
    photos = tmp_path / "photos"
    photos.mkdir()
    small = np.random.default_rng(0).integers(40, 220, (9, 12, 3), dtype=np.uint8)
    cv2.imwrite(str(photos / "a.png"), cv2.resize(small, (240, 180), interpolation=cv2.INTER_CUBIC))
    (tmp_path / "job.yaml").write_text(
        f"output: {tmp_path / 'out'}\nnum_images: 4\nshard_size: 2\nphotos: [{{kind: clean, images: {photos}}}]\n"
        "appearance: {per_group: 1, size: 64}\nrender: {samples: 1}\nrun: {sheet: 0}\n"
    )
    command = tmp_path / "ajahr-synth"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m synth.cli.main "$@"\n')
    command.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}

    def run(**variables: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(SCRIPT), "--config", str(tmp_path / "job.yaml")],
            env={**clean, "PATH": f"{tmp_path}:{clean['PATH']}", "SLURM_CPUS_PER_TASK": "1", **variables},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def test_two_tasks_at_once_make_one_whole_dataset(start, tmp_path):
    tasks = [start(SLURM_ARRAY_TASK_ID=str(i), SLURM_ARRAY_TASK_COUNT="2") for i in range(2)]
    said = [task.communicate(timeout=120)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    report = verify_dataset(tmp_path / "out")
    assert report.problems == [] and (report.shards, report.samples) == (2, 4)
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_one_task_makes_its_share_and_a_part_of_an_array_again_takes_the_same(start, tmp_path):
    for variables in ({"SLURM_ARRAY_TASK_COUNT": "2"}, {"SLURM_ARRAY_TASK_COUNT": "1", "SHARES": "2"}):
        task = start(SLURM_ARRAY_TASK_ID="1", **variables)
        assert "the last machine to finish" in " ".join(task.communicate(timeout=120)[0].split())
        assert task.returncode == 0
        assert sorted(path.name for path in (tmp_path / "out" / "shards").iterdir()) == [
            "000001.json",
            "000001.tar",
        ]
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_outside_an_array_it_says_how_to_submit(start):
    task = start()
    assert "sbatch --array" in task.communicate(timeout=20)[0]
    assert task.returncode != 0


def test_the_script_parses():
    assert subprocess.run(["bash", "-n", str(SCRIPT)]).returncode == 0
