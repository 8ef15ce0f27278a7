"""The generation config: what is refused, what decides the content."""

from pathlib import Path

import pytest

from ajahr.errors import UserError
from synth.config import AmputationConfig, GenerateConfig, PoseConfig, RunConfig


def config(**changes) -> GenerateConfig:
    return GenerateConfig(output=Path("out"), **changes)


def test_the_defaults_are_a_valid_job():
    config().check()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_images": 0}, "num_images"),
        ({"shard_size": 0}, "shard_size"),
        ({"twins": True, "num_images": 3}, "num_images"),
        ({"twins": True, "num_images": 4, "shard_size": 3}, "shard_size"),
        ({"seed": -1}, "seed"),
        ({"people_per_image": [2, 1]}, "people_per_image"),
        ({"people_per_image": [1]}, "people_per_image"),
        ({"people_per_image": [1, 8]}, "people_per_image"),
        ({"photos": []}, "photos"),
        ({"amputation": AmputationConfig(intact_share=1.5)}, "intact_share"),
        ({"amputation": AmputationConfig(class_weights=[1.0] * 11)}, "class_weights"),
        ({"amputation": AmputationConfig(class_weights=[0.0] * 12)}, "class_weights"),
        ({"poses": PoseConfig(families={"everday": 1.0})}, "everday"),
        ({"poses": PoseConfig(families={"sport": 0.0})}, "families"),
        ({"run": RunConfig(shards="4/4")}, "run.shards"),
        ({"run": RunConfig(shards="half")}, "run.shards"),
    ],
)
def test_what_makes_no_dataset_is_named_in_one_line(changes, named):
    with pytest.raises(UserError, match=named) as error:
        config(**changes).check()
    assert "\n" not in str(error.value)


def test_shards_cover_every_sample_once_however_they_are_split():
    whole = config(num_images=103, shard_size=10)
    indices = [i for shard in range(whole.num_shards) for i in whole.shard_indices(shard)]
    assert indices == list(range(103))
    parts = [
        config(num_images=103, shard_size=10, run=RunConfig(shards=f"{i}/3")).my_shards() for i in range(3)
    ]
    assert sorted(shard for part in parts for shard in part) == list(range(11))


def test_how_a_job_runs_is_no_part_of_its_content():
    a, b = config(run=RunConfig(workers=1)), config(run=RunConfig(workers=2, shards="0/4", sheet=0))
    assert a.content() == b.content()
    assert a.content() != config(seed=1).content()
