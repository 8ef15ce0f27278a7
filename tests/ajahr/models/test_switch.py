from __future__ import annotations

import pytest
import torch
from small_regressor import TOKENIZER, small_config

from ajahr.models.switch import TokenizerSwitch
from tokenizer.vqvae import PoseTokenizer


def tokenizers() -> dict[str, PoseTokenizer]:
    torch.manual_seed(0)
    made = {name: PoseTokenizer(TOKENIZER).eval() for name in ("amputee", "intact")}
    for one in made.values():
        one.quantizer.set_codebook(torch.randn(32, 8))
    return made


def logits(people: int) -> torch.Tensor:
    return torch.randn(people, 20, 32, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.parametrize("amputee", [[True, False, False, True, False], [True] * 3, [False] * 3])
def test_each_person_is_decoded_by_their_own_tokenizer(amputee: list[bool]) -> None:
    made = tokenizers()
    switch = TokenizerSwitch(small_config(), made)
    mixed = logits(len(amputee))
    got = switch(mixed, torch.tensor(amputee))
    for i, lost in enumerate(amputee):
        expected = made["amputee" if lost else "intact"].soft_decode(mixed[i : i + 1].softmax(-1))[0]
        torch.testing.assert_close(got[i], expected, atol=1e-5, rtol=1e-5)


def test_the_way_of_a_gpu_gives_the_same_values_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    switch, amputee = TokenizerSwitch(small_config(), tokenizers()), torch.tensor([True, False, True])
    found = []
    for compiling in (False, True):
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda answer=compiling: answer)
        mixed = logits(3).requires_grad_()
        decoded = switch(mixed, amputee)
        (gradient,) = torch.autograd.grad(decoded.square().sum(), mixed)
        found.append((decoded, gradient))
    for apart, both in zip(*found, strict=True):
        torch.testing.assert_close(apart, both, atol=1e-5, rtol=1e-4)


def test_nobody() -> None:
    switch = TokenizerSwitch(small_config(), tokenizers())
    assert switch(logits(2)[:0], torch.zeros(0, dtype=torch.bool)).shape == (0, 21, 6)


def test_frozen_in_evaluation_mode_and_a_copy() -> None:
    made = tokenizers()
    switch = TokenizerSwitch(small_config(), made).train()
    assert not any(module.training for module in switch.modules())
    assert not any(parameter.requires_grad for parameter in switch.parameters())
    before = switch(logits(2), torch.tensor([True, False]))
    for one in made.values():
        torch.nn.init.zeros_(one.decoder.head.weight)
        one.quantizer.set_codebook(torch.zeros(32, 8))
    assert torch.equal(switch(logits(2), torch.tensor([True, False])), before)


def test_half_precision_logits_are_decoded_in_full() -> None:
    switch = TokenizerSwitch(small_config(), tokenizers())
    amputee = torch.tensor([True, False])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = switch(logits(2).bfloat16(), amputee)
    torch.testing.assert_close(got, switch(logits(2).bfloat16().float(), amputee))
