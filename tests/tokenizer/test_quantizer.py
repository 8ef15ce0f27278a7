from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F

import tokenizer.quantizer as quantizer_module
from tokenizer.quantizer import Quantizer, nearest_codes, perplexity, sum_by_code

GOLDEN_LATENTS = torch.tensor([[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [0.1, 0.1]])[None]


class OneHot:
    """The published formulation, with its codes x tokens one-hot, in float64."""

    def __init__(self, num_codes: int, decay: float = 0.99) -> None:
        self.num_codes, self.decay, self.codebook = num_codes, decay, None

    def __call__(self, latents: torch.Tensor) -> tuple[torch.Tensor, float, float]:
        z = latents.double().flatten(0, -2)
        if self.codebook is None:
            self.codebook = z[: self.num_codes].clone()
            self.sum, self.count = self.codebook.clone(), torch.ones(self.num_codes, dtype=torch.float64)
        distance = z.square().sum(1, keepdim=True) - 2 * z @ self.codebook.T + self.codebook.square().sum(1)
        indices = distance.argmin(1)
        quantized = self.codebook[indices]
        one_hot = F.one_hot(indices, self.num_codes).double().T
        usage = one_hot.sum(1)
        self.sum = self.decay * self.sum + (1 - self.decay) * one_hot @ z
        self.count = self.decay * self.count + (1 - self.decay) * usage
        alive = (self.count >= 1 - 1e-9).double()[:, None]
        self.codebook = alive * self.sum / self.count[:, None] + (1 - alive) * z[: self.num_codes]
        shares = usage / usage.sum()
        entropy = -(shares * (shares + 1e-7).log()).sum()
        return quantized.view(latents.shape), float((z - quantized).square().mean()), float(entropy.exp())


def test_published_first_two_steps() -> None:
    quantizer = Quantizer(4, 2).train()
    expected = [
        (0.0850, [1.01, 1, 1, 1.01], [[0.00099010, 0.00099010], [1, 0], [2, 0], [3.00990, 0]]),
        (0.0833, [1.0199, 1, 1, 1.0199], [[0.0019512, 0.0019512], [1, 0], [2, 0], [3.0195, 0]]),
    ]
    for commitment, counts, codes in expected:
        quantized = quantizer(GOLDEN_LATENTS)
        assert quantized.commitment_loss.item() == pytest.approx(commitment, abs=5e-5)
        torch.testing.assert_close(quantizer.code_count, torch.tensor(counts), atol=5e-6, rtol=0)
        torch.testing.assert_close(quantizer.codebook, torch.tensor(codes), atol=5e-5, rtol=0)
    assert quantized.perplexity.item() == pytest.approx(3.7798, abs=5e-5)


def test_many_steps_equal_the_one_hot_formulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantizer_module, "_DISTANCES", 100)  # several chunks, the last one shorter
    generator = torch.Generator().manual_seed(3)
    quantizer, twin = Quantizer(16, 3).train(), OneHot(16)
    died = False
    for _ in range(30):
        # clustered, so that some codes die, and growing, so that reset codes come back
        latents = torch.randn(2, 25, 3, generator=generator) * torch.rand(2, 25, 1, generator=generator) ** 4
        quantized = quantizer(latents)
        codes, commitment, entropy = twin(latents)
        torch.testing.assert_close(quantized.codes.double(), codes, atol=1e-5, rtol=0)
        assert quantized.commitment_loss.item() == pytest.approx(commitment, rel=1e-4)
        assert quantized.perplexity.item() == pytest.approx(entropy, rel=1e-4)
        died |= bool(quantizer.dead_code_fraction > 0)
    torch.testing.assert_close(quantizer.codebook.double(), twin.codebook, atol=1e-5, rtol=0)
    assert died


def test_a_code_used_exactly_once_a_batch_stays_alive() -> None:
    quantizer = Quantizer(3, 2).train()
    latents = torch.tensor([[[0.0, 0], [5, 0], [9, 0]]])
    for _ in range(50):
        quantizer(latents)
    assert quantizer.dead_code_fraction == 0


def test_dead_codes_become_latents_of_the_batch() -> None:
    quantizer = Quantizer(2, 2).train()
    quantizer(torch.tensor([[[0.0, 0], [100, 100]]]))
    quantizer(torch.tensor([[[0.0, 1], [0, 3]]]))
    assert quantizer.dead_code_fraction == 0.5
    assert quantizer.codebook[1].tolist() == [0, 3]


def test_fewer_latents_than_codes_start_from_noisy_copies() -> None:
    quantizer = Quantizer(10, 4).train()
    latents = torch.randn(1, 3, 4)
    quantizer(latents)
    distance = torch.cdist(quantizer.codebook, latents[0]).amin(1)
    assert (distance < 0.1).all()
    assert len(quantizer.codebook.unique(dim=0)) == 10


def test_gradient_passes_straight_through() -> None:
    quantizer = Quantizer(8, 3).eval()
    quantizer.set_codebook(torch.randn(8, 3))
    latents = torch.randn(2, 5, 3, requires_grad=True)
    grad = torch.randn(2, 5, 3)
    quantizer(latents).codes.backward(grad)
    assert latents.grad is not None and torch.equal(latents.grad, grad)


def test_commitment_pulls_the_latents_to_their_codes() -> None:
    quantizer = Quantizer(8, 3).eval()
    quantizer.set_codebook(torch.randn(8, 3))
    latents = torch.randn(2, 5, 3, requires_grad=True)
    quantized = quantizer(latents)
    quantized.commitment_loss.backward()
    torch.testing.assert_close(latents.grad, 2 * (latents - quantized.codes).detach() / 30)


@pytest.mark.parametrize("how", ["eval", "not updating"])
def test_codebook_rests(how: str) -> None:
    quantizer = Quantizer(4, 2).train()
    quantizer(GOLDEN_LATENTS)
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    if how == "eval":
        quantizer.eval()
    else:
        quantizer.updating = False
    quantizer(GOLDEN_LATENTS + 1)
    quantizer.train().nearest(GOLDEN_LATENTS)
    assert all(torch.equal(before[name], value) for name, value in quantizer.state_dict().items())


def test_all_of_its_state_is_saved() -> None:
    latents = torch.randn(4, 2, 10, 3, generator=torch.Generator().manual_seed(0))
    straight, resumed = Quantizer(24, 3).train(), Quantizer(24, 3).train()
    for batch in latents[:2]:
        straight(batch)
    resumed.load_state_dict(straight.state_dict())
    for batch in latents[2:]:
        assert torch.equal(straight(batch).codes, resumed(batch).codes)
    assert torch.equal(straight.codebook, resumed.codebook)


def test_soft_lookup_of_certainty_is_lookup() -> None:
    quantizer = Quantizer(8, 3)
    quantizer.set_codebook(torch.randn(8, 3))
    indices = torch.tensor([[0, 7, 3], [2, 2, 5]])
    certain = F.one_hot(indices, 8).float()
    assert torch.equal(quantizer.soft_lookup(certain), quantizer.lookup(indices))
    torch.testing.assert_close(
        quantizer.soft_lookup(torch.full((1, 1, 8), 1 / 8))[0, 0], quantizer.codebook.mean(0)
    )


@pytest.mark.parametrize("codes", [3, 256])  # at once; by groups
def test_nearest_is_nearest_and_the_lower_index_in_a_tie(codes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    codebook = torch.randn(codes, 2, generator=generator)
    codebook[-1] = codebook[0]
    latents = torch.cat((codebook, torch.randn(500, 2, generator=generator)))
    indices = nearest_codes(latents, codebook)
    assert indices[0] == indices[codes - 1] == 0
    distances = torch.cdist(latents.double(), codebook.double())
    chosen = distances[torch.arange(len(latents)), indices]
    torch.testing.assert_close(chosen, distances.amin(1), atol=1e-3, rtol=0)
    assert set(range(codes - 1)) <= set(indices.tolist())


def test_sums_of_unused_codes_are_zero() -> None:
    latents = torch.arange(8.0).view(4, 2)
    indices = torch.tensor([2, 0, 2, 2])
    sums = sum_by_code(latents, indices, torch.bincount(indices, minlength=4))
    assert sums.tolist() == [[2, 3], [0, 0], [10, 13], [0, 0]]


def test_perplexity_counts_codes_used_alike() -> None:
    assert perplexity(torch.tensor([5, 5, 5, 0])).item() == pytest.approx(3, rel=1e-4)
    assert perplexity(torch.tensor([0, 9, 0, 0])).item() == pytest.approx(1, rel=1e-4)


# ------------------------------------------------------------------------------------------------ ranks


def _rank(rank: int, port: int, latents: torch.Tensor, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    quantizer = Quantizer(6, 3).train()
    for step in latents:
        quantizer(step[rank][None])
    torch.save(quantizer.state_dict(), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_hold_one_codebook_that_saw_both(tmp_path: Path) -> None:
    """steps x ranks x tokens; one process that sees both ranks' tokens is the twin."""
    latents = torch.randn(5, 2, 40, 3, generator=torch.Generator().manual_seed(0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_rank, (port, latents, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    alone = Quantizer(6, 3).train()
    for step in latents:
        alone(step.flatten(0, 1)[None])
    for name, value in alone.state_dict().items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value)
