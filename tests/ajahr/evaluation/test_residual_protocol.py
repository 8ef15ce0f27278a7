from __future__ import annotations

import pytest

from ajahr.errors import UserError
from ajahr.evaluation.residual_protocol import ResidualProtocol


def test_what_changes_the_meaning_changes_the_hash() -> None:
    protocol = ResidualProtocol()
    variants = [protocol, protocol.variant(labels="predicted"), protocol.variant(segment="predicted")]
    assert len({one.digest for one in variants}) == 3
    assert protocol.digest == ResidualProtocol().digest
    assert len({one.describe() for one in variants}) == 3


def test_values_that_there_are_not() -> None:
    with pytest.raises(UserError, match="segment is 'mine'; give annotated or predicted"):
        ResidualProtocol().variant(segment="mine")
