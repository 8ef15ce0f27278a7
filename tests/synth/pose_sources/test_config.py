"""The mix of pose sources: what is refused in one line, and what holds without any."""

from pathlib import Path

import pytest

from ajahr.errors import UserError
from synth.config import GenerateConfig
from synth.pose_sources.config import PoseConfig, PoseSourceConfig


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([PoseSourceConfig("hmr2")], "hmr2 needs 'path'"),
        ([PoseSourceConfig("sampled", path=Path("x"))], "read no file"),
        ([PoseSourceConfig("sampled", weight=-1.0)], "none negative"),
        ([PoseSourceConfig("sampled", weight=0.0)], "not all zero"),
        (
            [PoseSourceConfig("amass", Path("a")), PoseSourceConfig("amass", Path("b"))],
            "two are called amass",
        ),
        ([PoseSourceConfig("hmr2", Path("a"), limit=0)], "limit"),
        ([PoseSourceConfig("amass", Path("a"), stride=-1)], "stride"),
        ([PoseSourceConfig("hmr2", Path("a"), max_penetration=0.0)], "max_penetration"),
    ],
)
def test_a_mix_that_makes_no_dataset_is_named(sources, said):
    with pytest.raises(UserError, match=said):
        GenerateConfig(output=Path("out"), poses=PoseConfig(sources=sources)).check()


def test_without_sources_it_is_fitted_and_sampled_by_the_share():
    mix = PoseConfig(fitted_share=0.3).mix()
    assert [(source.kind, source.label, source.weight) for source in mix] == [
        ("smplify", "fitted", 0.3),
        ("sampled", "sampled", 0.7),
    ]
