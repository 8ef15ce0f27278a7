"""A puppet that stands where a trained regressor would, and a real regressor of the least size."""

from __future__ import annotations

import pytest
from least_regressor import save_least_regressor
from puppet import Puppet

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.inference.predictor import AJAHR


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def torch_body(body):
    return Body(body)


@pytest.fixture
def puppet(torch_body):
    return Puppet(torch_body)


@pytest.fixture
def model(puppet):
    return AJAHR(puppet, device="cpu", batch_size=4)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A saved regressor with random weights."""
    return save_least_regressor(tmp_path_factory.mktemp("weights") / "least")
