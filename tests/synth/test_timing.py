import json
import time

import numpy as np
import pytest

from synth.record import Drop, Record
from synth.timing import StageClock, read_cost

RECORD = Record(0, 0, False, np.random.default_rng(0))


def keep(record):
    return record


class Slow:
    def __call__(self, record):
        time.sleep(0.02)
        return record


class Dropping:
    def __call__(self, record):
        time.sleep(0.01)
        raise Drop("never")


def test_each_stage_has_its_own_time_and_passes_its_record_on():
    clock = StageClock()
    slow, quick = clock.timed([Slow(), keep])
    assert quick(slow(RECORD)) is RECORD
    assert clock.seconds["Slow"] >= 0.02 > clock.seconds["keep"]


def test_what_is_dropped_has_cost_its_time_too():
    clock = StageClock()
    with pytest.raises(Drop):
        clock.timed([Dropping()])[0](RECORD)
    assert clock.seconds["Dropping"] >= 0.01


def test_a_stopped_clock_adds_nothing(tmp_path):
    clock = StageClock(running=False)
    clock.timed([Slow()])[0](RECORD)
    assert clock.seconds == {}
    clock.write(tmp_path, 0, 0)
    assert read_cost(tmp_path) is None and not list(tmp_path.iterdir())


def test_the_cost_of_a_picture_over_all_shards(tmp_path):
    for shard, (pictures, render) in enumerate([(10, 1.0), (30, 2.0)]):
        StageClock({"Pose": 0.1 * pictures, "Render": render}).write(tmp_path, shard, pictures)
    (tmp_path / "timings" / "000007.json").write_text("{")
    (tmp_path / "timings" / "000008.json").write_text(json.dumps({"pictures": 1}))
    cost = read_cost(tmp_path)
    assert cost is not None and cost.pictures == 40
    assert cost.seconds == pytest.approx({"Pose": 0.1, "Render": 3.0 / 40})
    assert cost.total == pytest.approx(0.175) and cost.bottleneck == "Pose"


def test_a_dataset_has_timings_beside_it_and_not_in_it(realistic_twins):
    cost = read_cost(realistic_twins / ".work")
    assert cost is not None
    # of two shards one begins with the scene that is not timed
    assert cost.pictures == 22
    assert {"Render", "Compose", "Encode", "Write"} <= set(cost.seconds)
    assert "timings" not in (realistic_twins / "dataset.json").read_text()
