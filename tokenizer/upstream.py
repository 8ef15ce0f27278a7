"""Published tokenizer checkpoints (TokenHMR ``tokenizer.pth``, AJAHR ``best_net*.pth``) in and out.

Such a file is ``{"net": state dict, "hparams": yacs CfgNode}``. It is read by torch's restricted unpickler
with an inert stand-in for yacs, so no code in the file runs and yacs need not be installed.

Names: encoder and decoder are numbered as positions in one ``nn.Sequential``, resizes and ReLUs counted;
weights are (out, in, taps). The regressor's checkpoints hold decoder and codebook under the same names behind
a prefix.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tokenizer.checkpoints import read_checkpoint
from tokenizer.config import TokenizerConfig
from tokenizer.errors import InputError
from tokenizer.vqvae import PoseTokenizer

_CODEBOOK = "quantizer.codebook"


def encoder_names(config: TokenizerConfig) -> Iterator[tuple[str, str]]:
    """Layer names: ours (`tokenizer.encoder.Encoder`) and the published one's, without weight or bias."""
    yield "stem", "encoder.0"
    for i in range(config.doublings):
        yield f"upsampling.{i}", f"encoder.{3 + 3 * i}"
    block = 2 + 3 * config.doublings
    yield "halving", f"encoder.{block}.0"
    for i in range(config.depth):
        yield f"units.{i}.wide", f"encoder.{block}.1.model.{i}.conv1"
        yield f"units.{i}.pointwise", f"encoder.{block}.1.model.{i}.conv2"
    yield "head", f"encoder.{block + 1}"


def decoder_names(config: TokenizerConfig) -> Iterator[tuple[str, str]]:
    """As `encoder_names`, for the decoder."""
    yield "stem", "decoder.0"
    for i in range(config.decoder_steps):
        yield f"resampling.{i}", f"decoder.{3 + 3 * i}"
    block = 2 + 3 * config.decoder_steps
    for i in range(config.depth):
        yield f"units.{i}.wide", f"decoder.{block}.0.model.{i}.conv1"
        yield f"units.{i}.pointwise", f"decoder.{block}.0.model.{i}.conv2"
    yield "neck", f"decoder.{block}.1"
    yield "head", f"decoder.{block + 1}"


def _parameters(config: TokenizerConfig, parts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    names = {"encoder": encoder_names, "decoder": decoder_names}
    for part in parts:
        for ours, theirs in names[part](config):
            for parameter in ("weight", "bias"):
                yield f"{part}.{ours}.{parameter}", f"{part}.{theirs}.{parameter}"


def from_published(
    tokenizer: PoseTokenizer,
    state: Mapping[str, Tensor],
    *,
    encoder: bool = True,
    what: str = "the checkpoint",
) -> None:
    """Fill a tokenizer from a published state dict.

    Args:
        tokenizer: Of the right config; its codebook statistics start anew, as the file has none.
        state: Published names: ``encoder.encoder.0.weight``, ``decoder.decoder.0.weight``,
        ``quantizer.codebook``.
            Entries that contain ``body_model`` are ignored.
        encoder: False for a regressor's checkpoint, which holds no encoder; ours is then left as it is.
        what: Names the state in messages.

    Raises:
        InputError: missing, unexpected or misshapen entries, all of them named (the first few of each).
    """
    parts = ("encoder", "decoder") if encoder else ("decoder",)
    pairs = dict(_parameters(tokenizer.config, parts))
    state = {name: value for name, value in state.items() if "body_model" not in name}
    wanted = {*pairs.values(), _CODEBOOK}
    problems = []
    if missing := sorted(wanted - set(state)):
        problems.append(f"{len(missing)} entries are missing ({', '.join(missing[:3])} ...)")
    if unexpected := sorted(set(state) - wanted):
        problems.append(f"{len(unexpected)} are unexpected ({', '.join(unexpected[:3])} ...)")
    if problems:
        raise InputError(f"{what}: {'; '.join(problems)}; is it of another token count?")
    own = tokenizer.state_dict()
    converted = {ours: _ours(state[theirs]) for ours, theirs in pairs.items()} | {_CODEBOOK: state[_CODEBOOK]}
    for name, value in converted.items():
        if value.shape != own[name].shape:
            theirs = pairs.get(name, name)
            raise InputError(
                f"{what}: {theirs} has shape {tuple(value.shape)}, expected {tuple(own[name].shape)}; "
                "give the config the file was made with"
            )
    tokenizer.load_state_dict({**own, **converted})
    tokenizer.quantizer.set_codebook(state[_CODEBOOK].float())


def to_published(tokenizer: PoseTokenizer) -> dict[str, Tensor]:
    """The ``net`` of a published checkpoint. Codebook statistics have no place in it and are lost."""
    own = tokenizer.state_dict()
    pairs = _parameters(tokenizer.config, ("encoder", "decoder"))
    return {theirs: _published(own[ours]).clone() for ours, theirs in pairs} | {
        _CODEBOOK: own[_CODEBOOK].clone()
    }


def _ours(value: Tensor) -> Tensor:
    return value.permute(1, 2, 0) if value.ndim == 3 else value


def _published(value: Tensor) -> Tensor:
    return value.permute(2, 0, 1).contiguous() if value.ndim == 3 else value


# -------------------------------------------------------------------------------------------------- files


def import_published(path: str | Path) -> PoseTokenizer:
    """Read a published checkpoint, in evaluation mode on the CPU.

    The token count is in no tensor's shape; it comes from the file's ``hparams``.

    Raises:
        InputError: unreadable file, classes outside the allow-list, other hyper-parameters than the
            architecture has, missing or misshapen weights.
    """
    # a CfgNode is a dict with settings; the restricted unpickler fills only the dicts it knows
    checkpoint = read_checkpoint(path, [(OrderedDict, "yacs.config.CfgNode")])
    if not {"net", "hparams"} <= set(checkpoint):
        raise InputError(f"{path}: no tokenizer checkpoint (needs net and hparams); is it a regressor's?")
    tokenizer = PoseTokenizer(_config(checkpoint["hparams"], str(path)))
    from_published(tokenizer, checkpoint["net"], what=str(path))
    return tokenizer.eval()


def export_published(tokenizer: PoseTokenizer, path: str | Path) -> None:
    """Write a file that TokenHMR's and AJAHR's code loads. Needs yacs, whose class their file names.

    Raises:
        InputError: yacs is not installed.
    """
    try:
        from yacs.config import CfgNode  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError("exporting needs yacs, which the file format names; pip install yacs") from error
    config = tokenizer.config
    hparams = CfgNode(
        {
            "ARCH": {
                "CODE_DIM": config.code_dim,
                "NB_CODE": config.num_codes,
                "WIDTH": config.width,
                "DEPTH": config.depth,
                "DILATION_RATE": config.dilation_rate,
                "DOWN_T": 1,
                "STRIDE_T": 2,
                "TOKEN_SIZE_MUL": config.doublings,
                "TOKEN_SIZE_DIV": config.decoder_steps,
                "ROT_TYPE": "rot6d",
                "QUANTIZER": "ema_reset",
                "SMPL_TYPE": "smplh",
                "NB_JOINTS": config.num_joints,
            }
        }
    )
    torch.save({"net": to_published(tokenizer), "hparams": hparams}, path)


def _config(hparams: Any, path: str) -> TokenizerConfig:
    arch = hparams.get("ARCH") if isinstance(hparams, dict) else None
    if not isinstance(arch, dict):
        raise InputError(f"{path}: hparams has no ARCH section; cannot tell the token count")
    fixed = {"DOWN_T": 1, "ROT_TYPE": "rot6d"}
    for name, value in fixed.items():
        if arch.get(name, value) != value:
            raise InputError(f"{path}: {name} is {arch[name]}; only {value} is supported")
    try:
        return TokenizerConfig(
            num_tokens=10 * 2 ** int(arch["TOKEN_SIZE_MUL"]),
            num_codes=int(arch["NB_CODE"]),
            code_dim=int(arch["CODE_DIM"]),
            width=int(arch["WIDTH"]),
            depth=int(arch["DEPTH"]),
            dilation_rate=int(arch["DILATION_RATE"]),
            decoder_steps=int(arch["TOKEN_SIZE_DIV"]),
            num_joints=int(arch.get("NB_JOINTS", 21)),
        )
    except KeyError as error:
        raise InputError(f"{path}: hparams.ARCH lacks {error}; cannot rebuild the network") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
