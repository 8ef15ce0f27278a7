"""Times the regressor beside a plain float32 formulation of the same arithmetic, with the same weights, in one run.

    python scripts/bench_hmr.py                          # paper preset, one person (ViT-H: 4 GB, some minutes)
    python scripts/bench_hmr.py --preset tiny --people 8 --compile
    python scripts/bench_hmr.py --memory                 # resident memory of loading and running the preset
    python scripts/bench_hmr.py --device cuda --batch 64 # a GPU alone: TF32, bfloat16, compiled

Weights are random; parts that upstream does not have (tiny's stem and residual head) are left out. The plain
formulation (scripts/plain_hmr.py) stands for upstream's code: attention as two products and a softmax, keys and values
of every context token, one tokenizer at a time. Ways are timed in turns, so that a busy moment hits all; the least
time of each is printed. Errors are against our float32 form: of the ViT's features, relative, and of the vertices, mm;
under random weights the latter says little without how far apart the bench's people are, which is printed too. On a
machine with a GPU the same is done there for batches, with the rate of a plain large product as the yardstick.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from plain_hmr import plain_forward
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ajahr.body.body import Body
from ajahr.body.data import load_body
from ajahr.models.backbone import NUM_PATCHES
from ajahr.models.config import BackboneConfig, RegressorConfig
from ajahr.models.outputs import RegressorOutput
from ajahr.models.pretrained import save_pretrained
from ajahr.models.published.regressors import published_layout
from ajahr.models.regressor import Regressor

console = Console()
_PATCH_NUMBERS = 3 * 16 * 16
_PRODUCT = 8192


@dataclass
class Way:
    """One way to run the same net."""

    name: str
    run: Callable[[], object]
    best: float = float("inf")
    error_mm: float | None = None
    error_features: float | None = None


def make(preset: str) -> Regressor:
    """Random weights under which people differ by centimetres, as a trained net's do."""
    torch.manual_seed(0)
    config = RegressorConfig.preset(preset)
    config = replace(  # what upstream has no name for is left out
        config,
        bpac_cross_attention=False,
        token_residual=True,
        residual_head=False,
        betas_limit=None,
        backbone=replace(config.backbone, stem=None),
        bpac=None if config.bpac is None else replace(config.bpac, reads="pixels"),
    )
    regressor = Regressor(config, Body(load_body())).eval()
    torch.nn.init.normal_(regressor.readout.linear.weight, std=0.05)
    if regressor.switch is not None and regressor.token_head is not None:
        torch.nn.init.normal_(regressor.token_head.classes.weight, std=0.5)
        for decoder in regressor.switch.decoders.values():
            torch.nn.init.normal_(decoder.get_buffer("codebook"))
    return regressor


def inputs(people: int, device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    blotches = torch.randn(people, 3, 4, 4) * 2
    image = torch.nn.functional.interpolate(blotches, size=256, mode="bilinear")
    keypoints = torch.rand(people, 12, 3)
    keypoints[..., :2] -= 0.5
    return image.to(device), keypoints.to(device)


def published_views(regressor: Regressor) -> dict[str, Tensor]:
    """The weights under their published names, mostly without a copy."""
    state, views = regressor.state_dict(), {}
    for entry in published_layout(regressor.config).entries:
        views |= dict(zip(entry.theirs, entry.to_theirs(state[entry.ours]), strict=True))
    return views


_clock = time.perf_counter


def in_turns(ways: list[Way], rounds: int, synchronise: Callable[[], None] = lambda: None) -> None:
    for way in ways:
        way.run()  # what is made at the first run is not timed
    for _ in range(rounds):
        for way in ways:
            synchronise()
            start = _clock()
            way.run()
            synchronise()
            way.best = min(way.best, _clock() - start)


def error_mm(a: RegressorOutput, b: RegressorOutput) -> float:
    return float((a.vertices.float() - b.vertices.float()).norm(dim=-1).mean()) * 1000


def feature_error(features: Tensor, exact: Tensor) -> float:
    return float((features.float() - exact).norm() / exact.norm())


def spread_mm(out: RegressorOutput) -> float:
    """Mean distance of a person's vertices from the mean person's."""
    return float((out.vertices - out.vertices.mean(0)).norm(dim=-1).mean()) * 1000


def show(title: str, ways: list[Way], people: int, against: str) -> None:
    base = next(way.best for way in ways if way.name == against)
    table = Table(title=title, title_justify="left")
    for column in ("way", "ms a person", f"of {against}", "features off", "vertices off"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way in ways:
        error = "" if way.error_mm is None else f"{way.error_mm:.2f} mm"
        features = "" if way.error_features is None else f"{100 * way.error_features:.1f} %"
        table.add_row(way.name, f"{way.best * 1e3 / people:.1f}", f"{way.best / base:.2f}x", features, error)
    console.print(table)


# ------------------------------------------------------------------------------------------------ CPU


def quantised(regressor: Regressor) -> Regressor:
    """The backbone's linear layers with int8 weights (a scale a row) and activations scaled as they come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces another home for this function
        layers = {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
        torch.ao.quantization.quantize_dynamic(regressor.backbone, layers, inplace=True)
    return regressor


def on_cpu(regressor: Regressor, people: int, rounds: int, compile_it: bool, bf16: bool) -> None:
    preset = regressor.config.name
    image, keypoints = inputs(people)
    ours = Way("ours, float32", lambda: regressor(image, keypoints))
    views = published_views(regressor)
    heads = regressor.config.backbone.heads
    lengths = {
        name: regressor.config.tokenizer_config(ours).decoder_lengths
        for name, ours in (("amp", "amputee"), ("normal", "intact"))
    }
    points = (keypoints[..., :2] + 0.5) * 256

    def plain() -> None:
        """As upstream: the same body after the same arithmetic, a tokenizer a person."""
        out = plain_forward(views, image, points, heads=heads, decoder_lengths=lengths)
        regressor.body(out.betas, out.rotmats).keypoints_44  # noqa: B018 (made when asked for)

    ways = [ours]
    if regressor.config.bpac is not None and regressor.config.bpac.resolution == 256:
        ways.insert(0, Way("plain, float32", plain))
    exact, features = regressor(image, keypoints), regressor.backbone(image)
    levels = exact.limb_levels  # so that an error is of the pose, not of a decision at its edge
    if compile_it:
        compiled = torch.compile(regressor)
        ways.append(Way("ours, compiled", lambda: compiled(image, keypoints, limb_levels=levels)))
        ways[-1].error_mm = error_mm(compiled(image, keypoints, limb_levels=levels), exact)
    if bf16:

        def half() -> RegressorOutput:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return regressor(image, keypoints, limb_levels=levels)

        ways.append(Way("ours, bfloat16", half, error_mm=error_mm(half(), exact)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ways[-1].error_features = feature_error(regressor.backbone(image), features)
    parts = list(_parts(regressor, image, keypoints))
    in_turns([*ways, *parts], rounds)
    # last, because it takes the place of the float32 weights
    small = quantised(regressor)
    way = Way("ours, int8 linear", lambda: small(image, keypoints, limb_levels=levels))
    way.error_mm = error_mm(small(image, keypoints, limb_levels=levels), exact)
    way.error_features = feature_error(small.backbone(image), features)
    in_turns([way], rounds)
    show(
        f"{preset}, CPU, {people} people, {torch.get_num_threads()} threads",
        [*ways, way],
        people,
        ways[0].name,
    )
    if people > 1:
        console.print(f"mean distance of these people's vertices from their mean: {spread_mm(exact):.0f} mm")
    show("parts of ours, float32", [ours, *parts], people, ours.name)
    outside = sum(part.best for part in parts if part.name != "ViT")
    share = outside / sum(part.best for part in parts)
    console.print(f"outside the ViT: {100 * share:.1f} % of the parts' time")


def _parts(regressor: Regressor, image: Tensor, keypoints: Tensor) -> Iterator[Way]:
    features = regressor.backbone(image)
    yield Way("ViT", lambda: regressor.backbone(image))
    bpac, token_head, switch = regressor.bpac, regressor.token_head, regressor.switch
    token = regressor.decoder(features)
    if bpac is not None:
        yield Way("BPAC-Net", lambda: bpac(image, keypoints))
    yield Way("decoder", lambda: regressor.decoder(features))
    if token_head is not None and switch is not None:
        logits = token_head(token)
        amputee = torch.arange(len(image)) % 2 == 0
        yield Way("token head", lambda: token_head(token))
        yield Way("codebook and its decoder", lambda: switch(logits, amputee))
    out = regressor(image, keypoints)
    body = regressor.body
    yield Way("body", lambda: body(out.betas, out.pose_rotmat, out.absent_joints).keypoints_44)


# ------------------------------------------------------------------------------------------------ GPU


def products(config: BackboneConfig) -> float:
    """Multiplications a person of the ViT alone."""
    width, tokens = config.width, NUM_PATCHES
    linear = (4 + 2 * config.mlp_ratio) * width * width * tokens
    attention = 2 * tokens * tokens * width
    return config.depth * (linear + attention) + tokens * _PATCH_NUMBERS * width


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int = _PRODUCT) -> float:
    """Operations a second of a plain large product."""
    a = torch.randn(size, size, device=device, dtype=dtype)
    way = Way("product", lambda: a @ a)
    in_turns([way], 10, _synchroniser(device))
    return 2 * size**3 / way.best


def _synchroniser(device: torch.device) -> Callable[[], None]:
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


def on_gpu(
    regressor: Regressor, people: int, rounds: int, device: torch.device, compile_it: bool, product: int
) -> None:
    """Eager TF32, bfloat16, and bfloat16 compiled, with the ViT's share and rate of each.

    On a CPU the same lines run in small, to see that they run; their figures say nothing there.
    """
    preset, synchronise = regressor.config.name, _synchroniser(device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    regressor = regressor.to(device)
    image, keypoints = inputs(people, device)
    exact, features = regressor(image, keypoints), regressor.backbone(image)
    levels = exact.limb_levels
    half = copy.deepcopy(regressor)  # autocast alone would convert 630 million weights at every pass
    for part in (half.backbone, half.bpac):
        if part is not None:
            part.to(torch.bfloat16)

    def cast(net: Callable[..., Any], *arguments: Tensor, **options: Tensor) -> Any:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            return net(*arguments, **options)

    def way(name: str, net: Callable[..., RegressorOutput], vit: Callable[..., Tensor]) -> tuple[Way, Way]:
        whole = Way(name, lambda: cast(net, image, keypoints, limb_levels=levels))
        whole.error_mm = error_mm(cast(net, image, keypoints, limb_levels=levels), exact)
        whole.error_features = feature_error(cast(vit, image), features)
        return whole, Way(f"ViT of {name}", lambda: cast(vit, image))

    pairs = [
        (
            Way("eager, TF32", lambda: regressor(image, keypoints, limb_levels=levels)),
            Way("ViT of eager, TF32", lambda: regressor.backbone(image)),
        ),
        way("eager, bfloat16", half, half.backbone),
    ]
    if compile_it:
        mode = "max-autotune" if device.type == "cuda" else "default"
        compiled, vit = torch.compile(half, mode=mode), torch.compile(half.backbone, mode=mode)
        pairs.append(way("compiled, bfloat16", compiled, vit))
    in_turns([one for pair in pairs for one in pair], rounds, synchronise)
    show(
        f"{preset}, {_device_name(device)}, batch {people}",
        [whole for whole, _ in pairs],
        people,
        "eager, TF32",
    )
    console.print(f"mean distance of these people's vertices from their mean: {spread_mm(exact):.0f} mm")
    rates = {"TF32": matrix_rate(device, torch.float32, product)}
    rates["bfloat16"] = matrix_rate(device, torch.bfloat16, product)
    work = 2 * products(regressor.config.backbone) * people
    table = Table(title="the ViT's operations beside a plain large product's", title_justify="left")
    for column in ("way", "TFLOP/s over all", "in the ViT alone", "of the product's", "outside the ViT"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for whole, vit_alone in pairs:
        rate = rates[whole.name.split(", ")[1]]
        table.add_row(
            whole.name,
            f"{work / whole.best / 1e12:.3g}",
            f"{work / vit_alone.best / 1e12:.3g}",
            f"{100 * work / whole.best / rate:.0f} % ({100 * work / vit_alone.best / rate:.0f} %)",
            f"{100 * max(1 - vit_alone.best / whole.best, 0):.1f} %",
        )
    console.print(table)
    console.print(
        ", ".join(f"a product in {name}: {rate / 1e12:.3g} TFLOP/s" for name, rate in rates.items())
    )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU (no figure of a GPU)"


# --------------------------------------------------------------------------------------------- memory

_CHILD = """
import sys, torch
from ajahr.models.pretrained import load_pretrained
from bench_hmr import inputs, peak_gb
before = peak_gb()
regressor = load_pretrained(sys.argv[1])
with torch.inference_mode():
    regressor(*inputs(1))
print(f"imports {before:.2f} GB, with the weights loaded and a person done {peak_gb():.2f} GB at most")
"""


def peak_gb() -> float:
    """Most memory this process ever had resident (Linux), file pages included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6


def memory(preset: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(make(preset), folder)
        subprocess.run([sys.executable, "-c", _CHILD, folder], check=True, cwd=Path(__file__).parent)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="paper", choices=["paper", "base", "small", "tiny"])
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="time of this process alone, for a busy machine: take --threads 1",
    )
    parser.add_argument("--compile", action="store_true", help="also the compiled net (minutes to compile)")
    parser.add_argument("--no-bf16", action="store_true", help="leave bfloat16 out: slow on CPUs without it")
    parser.add_argument("--memory", action="store_true", help="resident memory instead of times")
    parser.add_argument("--batch", type=int, default=32, help="people at a time on a GPU")
    parser.add_argument(
        "--device",
        default="auto",
        choices=["auto", "cpu", "cuda", "gpu-part-on-cpu"],
        help="auto: a GPU, where there is one, and the CPU; the last runs the GPU's part in small without one",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.cpu_time:
        global _clock
        _clock = time.process_time
    if arguments.memory:
        memory(arguments.preset)
        return
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no GPU is visible to torch; leave --device out")
    regressor = make(arguments.preset)
    small = arguments.device == "gpu-part-on-cpu"
    with torch.inference_mode():
        if small or (arguments.device != "cpu" and torch.cuda.is_available()):
            device = torch.device("cpu" if small else "cuda")
            rounds = arguments.rounds if small else max(arguments.rounds, 10)
            batch, product = (2, 256) if small else (arguments.batch, _PRODUCT)
            on_gpu(copy.deepcopy(regressor), batch, rounds, device, arguments.compile or not small, product)
        if arguments.device in ("auto", "cpu"):
            on_cpu(regressor, arguments.people, arguments.rounds, arguments.compile, not arguments.no_bf16)


if __name__ == "__main__":
    main()
