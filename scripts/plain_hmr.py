"""The published regressors' arithmetic, plainly, over their state dicts: what benchmarks and tests compare with.

From the description in the papers and the layout of the files: every tensor by its published name, attention as two
products and a softmax, keys and values for every context token, no fused call, no autocast, one decoder per person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Plain:
    """What the regressors output before the body: (people, ...) each."""

    features: Tensor
    limb_logits: Tensor | None
    """By published head and class: right arm, left arm, left leg, right leg; intact last."""
    code_logits: Tensor | None
    rotmats: Tensor
    betas: Tensor
    camera: Tensor


def plain_forward(
    state: State,
    image: Tensor,
    keypoints_px: Tensor | None = None,
    *,
    heads: int,
    decoder_lengths: Mapping[str, Sequence[int]] | None = None,
    tokenizer: State | None = None,
    bpac_pass: bool = False,
) -> Plain:
    """A checkpoint's outputs.

    Args:
        state: HMR2.0's, TokenHMR's or AJAHR's, told apart by what is in it.
        image: (people, 3, 256, 256), normalised.
        keypoints_px: (people, 12, 2) where the classifier draws them.
        heads: attention heads of the ViT.
        decoder_lengths: of ``amp`` and ``normal``, or of ``single``.
        tokenizer: TokenHMR's ``net``.
        bpac_pass: attend to the classifier's token too, as the paper says.
    """
    features = vit(state, image[..., 32:224], heads)
    logits = token = None
    if keypoints_px is not None:
        logits, token = classifier(state, image, keypoints_px)
    x = decoder(state, features, token if bpac_pass else None)
    head = lambda name: linear(state, f"smpl_head.{name}", x)  # noqa: E731
    code_logits = None
    if "smpl_head.decpose.weight" in state:
        pose = head("decpose")
    else:
        code_logits = token_head(state, x)
        mixed = code_logits.softmax(-1)
        body = []
        for i, person in enumerate(mixed):
            if tokenizer is not None:
                net, prefix, kind = tokenizer, "", "single"
            else:
                assert logits is not None
                kind = "amp" if bool((logits[i].argmax(-1) < 3).any()) else "normal"
                net, prefix = state, f"smpl_head.decpose.tokenizer_{kind}."
            codes = person @ net[f"{prefix}quantizer.codebook"]
            body.append(pose_decoder(net, f"{prefix}decoder.decoder.", codes, (decoder_lengths or {})[kind]))
        pose = torch.cat((head("decpose_grot"), torch.stack(body), head("decpose_hands")), 1)
    pose = (pose + state["smpl_head.init_body_pose"]).view(-1, 24, 6)
    rotmats = gram_schmidt(pose)
    if "smpl_head.decpose.weight" in state:  # HMR2.0 reads columns
        rotmats = rotmats.transpose(-1, -2)
    betas = head("decshape") + state["smpl_head.init_betas"]
    camera = head("deccam") + state["smpl_head.init_cam"]
    return Plain(features, logits, code_logits, rotmats, betas, camera)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    y = x @ state[f"{name}.weight"].T
    return y + state[f"{name}.bias"] if f"{name}.bias" in state else y


def norm(state: State, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
    return (x - mean) / (variance + eps).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def gram_schmidt(rot6d: Tensor) -> Tensor:
    a, b = rot6d[..., :3], rot6d[..., 3:]
    first = a / a.norm(dim=-1, keepdim=True)
    second = b - (first * b).sum(-1, keepdim=True) * first
    second = second / second.norm(dim=-1, keepdim=True)
    return torch.stack((first, second, torch.cross(first, second, dim=-1)), -2)


def vit(state: State, image: Tensor, heads: int) -> Tensor:
    base = "backbone."
    x = F.conv2d(
        image,
        state[f"{base}patch_embed.proj.weight"],
        state[f"{base}patch_embed.proj.bias"],
        stride=16,
        padding=2,
    )
    x = x.flatten(2).transpose(1, 2)
    positions = state[f"{base}pos_embed"]
    x = x + positions[:, 1:] + positions[:, :1]
    width = x.shape[-1]
    i = 0
    while f"{base}blocks.{i}.norm1.weight" in state:
        block = f"{base}blocks.{i}."
        y = linear(state, f"{block}attn.qkv", norm(state, f"{block}norm1", x, 1e-6))
        q, k, v = y.view(len(x), -1, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        attention = (q * (width // heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        x = x + linear(state, f"{block}attn.proj", (attention @ v).transpose(1, 2).reshape(x.shape))
        y = gelu(linear(state, f"{block}mlp.fc1", norm(state, f"{block}norm2", x, 1e-6)))
        x = x + linear(state, f"{block}mlp.fc2", y)
        i += 1
    return norm(state, f"{base}last_norm", x, 1e-6)


def decoder(state: State, features: Tensor, bpac_token: Tensor | None) -> Tensor:
    base = "smpl_head.transformer."
    zero = features.new_zeros(len(features), 1, 1)
    x = linear(state, f"{base}to_token_embedding", zero) + state[f"{base}pos_embedding"]
    contexts = [features] if bpac_token is None else [features, bpac_token[:, None]]
    for context in contexts:
        i = 0
        while f"{base}transformer.layers.{i}.0.norm.weight" in state:
            layer = f"{base}transformer.layers.{i}."
            y = norm(state, f"{layer}0.norm", x)
            q, k, v = linear(state, f"{layer}0.fn.to_qkv", y).chunk(3, -1)
            x = x + linear(state, f"{layer}0.fn.to_out.0", attend(q, k, v))
            q = linear(state, f"{layer}1.fn.to_q", norm(state, f"{layer}1.norm", x))
            k, v = linear(state, f"{layer}1.fn.to_kv", context).chunk(2, -1)
            x = x + linear(state, f"{layer}1.fn.to_out.0", attend(q, k, v))
            y = gelu(linear(state, f"{layer}2.fn.net.0", norm(state, f"{layer}2.norm", x)))
            x = x + linear(state, f"{layer}2.fn.net.3", y)
            i += 1
    return x[:, 0]


def attend(q: Tensor, k: Tensor, v: Tensor, head_width: int = 64) -> Tensor:
    q, k, v = (y.unflatten(-1, (-1, head_width)).transpose(1, 2) for y in (q, k, v))
    mixed = (q @ k.transpose(-2, -1) * head_width**-0.5).softmax(-1) @ v
    return mixed.transpose(1, 2).flatten(2)


def token_head(state: State, x: Tensor) -> Tensor:
    base = "smpl_head.decpose."
    y = norm(state, f"{base}mixer_trans.ff.1", linear(state, f"{base}mixer_trans.ff.0", x)).clamp(min=0)
    channels = len(state[f"{base}mixer_norm_layer.ff.0.weight"])
    y = y.view(len(x), -1, channels)
    i = 0
    while f"{base}mixer_head.{i}.layernorm1.weight" in state:
        mixer = f"{base}mixer_head.{i}."
        across = norm(state, f"{mixer}layernorm1", y).transpose(1, 2)
        across = linear(
            state, f"{mixer}MLP_token.ff.3", gelu(linear(state, f"{mixer}MLP_token.ff.0", across))
        )
        y = y + across.transpose(1, 2)
        within = norm(state, f"{mixer}layernorm2", y)
        y = y + linear(
            state, f"{mixer}MLP_channel.ff.3", gelu(linear(state, f"{mixer}MLP_channel.ff.0", within))
        )
        i += 1
    gather = f"{base}mixer_norm_layer.ff"
    y = norm(state, f"{gather}.1", linear(state, f"{gather}.0", y)).clamp(min=0)
    return linear(state, f"{base}class_pred_layer", y)


def pose_decoder(state: State, prefix: str, codes: Tensor, lengths: Sequence[int]) -> Tensor:
    """One person's codes (tokens, code_dim) to 126 numbers."""

    def convolve(name: str, x: Tensor, dilation: int = 1, padding: int | None = None) -> Tensor:
        weight, bias = state[f"{prefix}{name}.weight"], state[f"{prefix}{name}.bias"]
        return F.conv1d(x, weight, bias, padding=dilation if padding is None else padding, dilation=dilation)

    x = convolve("0", codes.T[None]).clamp(min=0)
    for i, length in enumerate(lengths):
        x = F.interpolate(x, size=length, mode="nearest")
        x = convolve(str(3 + 3 * i), x).clamp(min=0)
    block = 2 + 3 * len(lengths)
    for unit, dilation in enumerate((3, 1)):
        name = f"{block}.0.model.{unit}"
        y = convolve(f"{name}.conv1", x.clamp(min=0), dilation).clamp(min=0)
        x = x + convolve(f"{name}.conv2", y, padding=0)
    x = convolve(str(block + 1), convolve(f"{block}.1", x))
    return x[0].T.flatten()


def classifier(state: State, image: Tensor, keypoints_px: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (people, head, class) and the token."""
    base = "classifier.resnet."

    def bn(name: str, x: Tensor) -> Tensor:
        mean, variance, weight, bias = (
            state[f"{base}{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{base}{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = torch.cat((image, heatmaps(keypoints_px, image.shape[-1])), 1)
    x = F.max_pool2d(bn("bn1", conv("conv1", x, 2)).clamp(min=0), 3, 2, 1)
    for stage in range(1, 5):
        i = 0
        while f"{base}layer{stage}.{i}.conv1.weight" in state:
            block = f"layer{stage}.{i}."
            stride = 2 if stage > 1 and i == 0 else 1
            y = bn(f"{block}bn1", conv(f"{block}conv1", x, stride)).clamp(min=0)
            y = bn(f"{block}bn2", conv(f"{block}conv2", y))
            average, largest = y.mean((2, 3), keepdim=True), y.amax((2, 3), keepdim=True)
            a, b = (
                conv(f"{block}cbam.ca.fc2", conv(f"{block}cbam.ca.fc1", pooled).clamp(min=0))
                for pooled in (average, largest)
            )
            y = y * (a + b).sigmoid()
            places = torch.cat((y.mean(1, keepdim=True), y.amax(1, keepdim=True)), 1)
            y = y * conv(f"{block}cbam.sa.conv1", places).sigmoid()
            if f"{base}{block}downsample.0.weight" in state:
                x = bn(f"{block}downsample.1", conv(f"{block}downsample.0", x, stride))
            x = (x + y).clamp(min=0)
            i += 1
    x = x.mean((2, 3))
    logits = torch.stack([linear(state, f"classifier.head{i}", x) for i in range(1, 5)], 1)
    return logits, linear(state, "classifier.projection", x)


def heatmaps(keypoints_px: Tensor, size: int, sigma: float = 2.0) -> Tensor:
    """exp(-d^2 / (2 sigma^2)) at whole pixels, keypoint by keypoint."""
    grid = torch.arange(size, dtype=keypoints_px.dtype)
    maps = [
        torch.exp(-((grid[None, :] - x) ** 2 + (grid[:, None] - y) ** 2) / (2 * sigma**2))
        for x, y in keypoints_px.flatten(0, 1)
    ]
    return torch.stack(maps).view(*keypoints_px.shape[:2], size, size)
