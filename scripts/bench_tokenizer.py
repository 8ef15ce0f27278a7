"""Times the tokenizer beside the plain formulation, both in one run: ratios are what counts.

    OMP_NUM_THREADS=2 python scripts/bench_tokenizer.py quantizer small paper

quantizer: 256 x 320 latents, 2048 codes; small and paper: a training step of the configs' shape (paper:
minutes); with "+body" after either: joint and vertex losses on the embedded body included.

Plain is the published network out of torch's own layers, channels first, with a quantizer that builds the
codes x tokens one-hot, as every published VQ-VAE tokenizer has it, and torch's default AdamW. Both start from
the same weights and see the same batch, and the script stops if their results differ. Times are the least of
some rounds in turn; peak memory is that of a fresh process for each, over what it had before the step.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
import yaml
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from tokenizer.config import TokenizerConfig
from tokenizer.losses import LossWeights, Mesh, tokenizer_loss
from tokenizer.quantizer import Quantized, Quantizer
from tokenizer.rotations import rot6d_to_rotmat, rotmat_to_rot6d, rotvec_to_rotmat
from tokenizer.upstream import to_published
from tokenizer.vqvae import PoseTokenizer, Reconstruction

PAPER = TokenizerConfig()
CONFIGS = Path(__file__).parents[1] / "configs" / "tokenizer"
SMALL_MODEL = yaml.safe_load((CONFIGS / "shared" / "model_small.yaml").read_text())["init_args"]
SMALL_DATA = yaml.safe_load((CONFIGS / "intact_small.yaml").read_text())["data"]["init_args"]
SMALL = TokenizerConfig(**SMALL_MODEL["config"])
BATCH = {"quantizer": 256, "small": SMALL_DATA["batch_size"], "paper": 256}


# ------------------------------------------------------------------------------------- the plain formulation


class OneHotQuantizer(nn.Module):
    """All distances at once; sums and counts by a one-hot matrix."""

    def __init__(self, num_codes: int, code_dim: int) -> None:
        super().__init__()
        self.num_codes = num_codes
        self.register_buffer("codebook", torch.zeros(num_codes, code_dim))
        self.code_sum, self.code_count = torch.zeros(num_codes, code_dim), torch.ones(num_codes)

    def forward(self, latents: Tensor) -> Quantized:
        z = latents.reshape(-1, latents.shape[-1])
        distance = z.square().sum(1, keepdim=True) - 2 * z @ self.codebook.t() + self.codebook.square().sum(1)
        indices = distance.argmin(1)
        codes = F.embedding(indices, self.codebook)
        with torch.no_grad():
            one_hot = torch.zeros(self.num_codes, len(z)).scatter_(0, indices[None], 1)
            usage = one_hot.sum(1)
            self.code_sum = 0.99 * self.code_sum + 0.01 * (one_hot @ z)
            self.code_count = 0.99 * self.code_count + 0.01 * usage
            alive = (self.code_count >= 1).float()[:, None]
            replaced = z[: self.num_codes]
            self.codebook = alive * (self.code_sum / self.code_count[:, None]) + (1 - alive) * replaced
            shares = usage / usage.sum()
            perplexity = torch.exp(-(shares * torch.log(shares + 1e-7)).sum())
        commitment = F.mse_loss(z, codes)
        straight = (z + (codes - z).detach()).view_as(latents)
        return Quantized(straight, indices.view(latents.shape[:-1]), commitment, perplexity)


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


def _residual_block(config: TokenizerConfig) -> nn.Sequential:
    block = nn.Sequential()
    block.add_module("model", nn.Sequential(*(_Residual(config.width, d) for d in config.dilations)))
    return block


class PlainTokenizer(nn.Module):
    """The published network under its published names."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        width, conv = config.width, nn.Conv1d
        layers = [conv(6, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Upsample(config.stem_length), conv(width, width, 3, padding=1), nn.ReLU()]
        for _ in range(config.doublings - 1):
            layers += [nn.Upsample(scale_factor=2), conv(width, width, 3, padding=1), nn.ReLU()]
        layers.append(nn.Sequential(conv(width, width, 4, 2, 1), _residual_block(config)))
        layers.append(conv(width, config.code_dim, 3, padding=1))
        self.encoder = nn.Sequential()
        self.encoder.add_module("encoder", nn.Sequential(*layers))
        layers = [conv(config.code_dim, width, 3, padding=1), nn.ReLU()]
        for length in config.decoder_lengths:
            layers += [nn.Upsample(length), conv(width, width, 3, padding=1), nn.ReLU()]
        layers.append(nn.Sequential(_residual_block(config), conv(width, width, 3, padding=1)))
        layers.append(conv(width, 6, 3, padding=1))
        self.decoder = nn.Sequential()
        self.decoder.add_module("decoder", nn.Sequential(*layers))
        self.quantizer = OneHotQuantizer(config.num_codes, config.code_dim)

    def forward(self, rot6d: Tensor) -> Reconstruction:
        latents = self.encoder(rot6d.transpose(1, 2)).transpose(1, 2)
        quantized = self.quantizer(latents)
        decoded = self.decoder(quantized.codes.transpose(1, 2)).transpose(1, 2)
        return Reconstruction(decoded, rot6d_to_rotmat(decoded), quantized)


# --------------------------------------------------------------------------------------------------- jobs


def quantizer_jobs(which: str) -> dict[str, Callable[[], list[Tensor]]]:
    """Forward, backward and update of the quantizer alone, at the paper's size."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(BATCH["quantizer"], PAPER.num_tokens, PAPER.code_dim, generator=generator)
    codebook = latents.view(-1, PAPER.code_dim)[: PAPER.num_codes].clone()
    grad = torch.randn(latents.shape, generator=generator)  # as from a decoder

    def job(quantizer: Quantizer | OneHotQuantizer) -> Callable[[], list[Tensor]]:
        def step() -> list[Tensor]:
            z = latents.detach().requires_grad_()
            quantized = quantizer(z)
            torch.autograd.backward((quantized.codes, quantized.commitment_loss), (grad, torch.ones(())))
            assert z.grad is not None
            return [quantized.commitment_loss.detach(), quantized.perplexity, quantizer.codebook, z.grad]

        return step

    jobs: dict[str, Callable[[], list[Tensor]]] = {}
    if which in ("both", "plain"):
        plain = OneHotQuantizer(PAPER.num_codes, PAPER.code_dim)
        plain.codebook, plain.code_sum = codebook.clone(), codebook.clone()
        jobs["plain"] = job(plain)
    if which in ("both", "ours"):
        ours = Quantizer(PAPER.num_codes, PAPER.code_dim).train()
        ours.set_codebook(codebook)
        jobs["ours"] = job(ours)
    return jobs


def step_jobs(
    which: str, config: TokenizerConfig, batch: int, body: bool
) -> dict[str, Callable[[], list[Tensor]]]:
    """Whole training steps: forward, losses, backward, AdamW."""
    torch.manual_seed(0)
    rotmats = rotvec_to_rotmat(torch.randn(batch, config.num_joints, 3) * 0.4)
    rot6d = rotmat_to_rot6d(rotmats)
    ours = PoseTokenizer(config).train()
    with torch.no_grad():
        latents = ours.encoder(rot6d[:16]).flatten(0, 1)
    ours.quantizer.set_codebook(latents[torch.randint(len(latents), (config.num_codes,))])
    weights, mesh_fn = LossWeights(joints=0.0, vertices=0.0), None
    if body:
        from ajahr.training.pose_mesh import PoseMesh

        mesh_options = SMALL_MODEL["mesh_fn"].get("init_args", {}) if config is SMALL else {}
        weights, mesh_fn = LossWeights(), PoseMesh(**mesh_options)

    def job(model: nn.Module, fused: bool | None) -> Callable[[], list[Tensor]]:
        optimizer = torch.optim.AdamW(model.parameters(), 2e-4, (0.9, 0.99), weight_decay=1e-5, fused=fused)

        def step() -> list[Tensor]:
            reconstruction = model(rot6d)
            mesh = target = None
            if mesh_fn is not None:
                mesh = Mesh(*mesh_fn(reconstruction.rotmats))
                with torch.no_grad():
                    target = Mesh(*mesh_fn(rotmats))
            terms = tokenizer_loss(weights, reconstruction, rotmats, mesh, target)
            optimizer.zero_grad()
            terms.total.backward()
            optimizer.step()
            return [terms.total.detach(), reconstruction.rotmats.detach()]

        return step

    jobs: dict[str, Callable[[], list[Tensor]]] = {}
    if which in ("both", "plain"):
        plain = PlainTokenizer(config).train()
        plain.load_state_dict(to_published(ours))
        plain.quantizer.code_sum = ours.quantizer.codebook.clone()
        jobs["plain"] = job(plain, None)
    if which in ("both", "ours"):
        jobs["ours"] = job(ours, True)
    return jobs


def make_jobs(name: str, which: str) -> dict[str, Callable[[], list[Tensor]]]:
    """The jobs of a command line word; a word may end in ``+body``."""
    kind, _, body = name.partition("+")
    if kind == "quantizer":
        return quantizer_jobs(which)
    return step_jobs(which, SMALL if kind == "small" else PAPER, BATCH[kind], bool(body))


# ------------------------------------------------------------------------------------------------ measuring


def times(jobs: dict[str, Callable[[], list[Tensor]]], rounds: int) -> dict[str, float]:
    """Least seconds of each, in turn, after one round that also compares their results."""
    first = {}
    best = dict.fromkeys(jobs, float("inf"))
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            result = job()
            seconds = time.perf_counter() - start
            if turn == 0:
                first[name] = result
            if turn > 0 or rounds == 0:
                best[name] = min(best[name], seconds)
        if turn == 0:
            for ours, plain in zip(first["ours"], first["plain"], strict=True):
                torch.testing.assert_close(ours, plain, atol=2e-4, rtol=2e-4)
            first.clear()
    return best


def peak_memory_mib(name: str, which: str) -> float:
    """Of one step in a fresh process, over what it held before."""
    command = [sys.executable, __file__, name, "--memory-of", which]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _print_own_peak(name: str, which: str) -> None:
    (job,) = make_jobs(name, which).values()
    before = _status_kib("VmRSS")
    job()
    print((_status_kib("VmHWM") - before) / 1024)


def _status_kib(field: str) -> int:
    """Of this process alone; what getrusage reports includes the parent's memory before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def _has_bfloat16_units() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return any(flag in flags for flag in ("amx_bf16", "avx512_bf16"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ["quantizer", "small", "small+body", "paper", "paper+body"]
    parser.add_argument("names", nargs="+", choices=names)
    parser.add_argument("--rounds", type=int, default=3, help="0: the first round alone counts")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--memory-of", choices=["plain", "ours"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        _print_own_peak(options.names[0], options.memory_of)
        return
    table = Table("float32", "plain s", "ours s", "faster", "plain MiB", "ours MiB", "memory")
    for name in options.names:
        best = times(make_jobs(name, "both"), options.rounds)
        row = [name, *(f"{best[w]:.3f}" for w in ("plain", "ours")), f"{best['plain'] / best['ours']:.2f}x"]
        if not options.no_memory:
            plain, ours = (peak_memory_mib(name, which) for which in ("plain", "ours"))
            row += [f"{plain:.0f}", f"{ours:.0f}", f"{ours / plain:.2f}"]
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(f"{torch.get_num_threads()} threads")
    if not _has_bfloat16_units():
        console.print("This CPU has no bfloat16 units: float32 is the fastest honest precision here.")


if __name__ == "__main__":
    main()
