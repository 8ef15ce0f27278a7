"""The two frozen tokenizers and the switch between them, per person (AJAHR Eq. 3)."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ajahr.models.config import RegressorConfig
from tokenizer.layers import ResizedConvolution
from tokenizer.vqvae import PoseTokenizer


class CodeDecoder(nn.Module):
    """A tokenizer's codebook and decoder; the encoder has no part in regression.

    Args:
        tokenizer: Copied from.
        num_tokens: Tokens that will be decoded. Another number than the tokenizer's own is resampled by the
            first layer, as the released code does without a word.
    """

    codebook: Float[Tensor, "codes code_dim"]

    def __init__(self, tokenizer: PoseTokenizer, num_tokens: int) -> None:
        super().__init__()
        self.decoder = copy.deepcopy(tokenizer.decoder)
        self.register_buffer("codebook", tokenizer.quantizer.codebook.detach().clone())
        if num_tokens != self.decoder.num_tokens:
            width, length = tokenizer.config.width, tokenizer.config.decoder_lengths[0]
            resized = ResizedConvolution(width, width, num_tokens, length)
            first = self.decoder.resampling.get_submodule("0")
            resized.load_state_dict(first.state_dict())
            self.decoder.resampling[0] = resized
            self.decoder.num_tokens = num_tokens

    def forward(
        self, probabilities: Float[Tensor, "batch tokens codes"]
    ) -> Float[Tensor, "batch joints=21 6"]:
        """6D rotations of the body joints (rows) of mixed codes."""
        return self.decoder(probabilities.to(self.codebook.dtype) @ self.codebook)


class TokenizerSwitch(nn.Module):
    """One tokenizer, or two of which each person takes one. Always frozen, always in evaluation mode."""

    def __init__(self, config: RegressorConfig, tokenizers: Mapping[str, PoseTokenizer] | None) -> None:
        super().__init__()
        made = {
            name: CodeDecoder(
                PoseTokenizer(config.tokenizer_config(name)) if tokenizers is None else tokenizers[name],
                config.tokens,
            )
            for name in config.tokenizer_names
        }
        self.decoders = nn.ModuleDict(made)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> TokenizerSwitch:
        return super().train(False)

    def forward(
        self, code_logits: Float[Tensor, "batch tokens codes"], amputee: Bool[Tensor, " batch"]
    ) -> Float[Tensor, "batch joints=21 6"]:
        """6D rotations of the body joints by each person's tokenizer, in float32 whatever autocast says."""
        with torch.autocast(code_logits.device.type, enabled=False):
            probabilities = code_logits.float().softmax(-1)
            if len(self.decoders) == 1:
                return next(iter(self.decoders.values()))(probabilities)
            by_amputee, by_intact = self.decoders["amputee"], self.decoders["intact"]
            if code_logits.device.type == "cpu" and not torch.compiler.is_compiling():
                return _decode_apart(by_amputee, by_intact, probabilities, amputee)
            # on a GPU, decoding everybody twice costs less than waiting to know who is who
            chosen = torch.where(amputee[:, None, None], by_amputee(probabilities), by_intact(probabilities))
        return chosen


def _decode_apart(
    by_amputee: nn.Module,
    by_intact: nn.Module,
    probabilities: Float[Tensor, "batch tokens codes"],
    amputee: Bool[Tensor, " batch"],
) -> Float[Tensor, "batch joints=21 6"]:
    """Each tokenizer decodes its own people, as two groups: nothing is decoded twice."""
    groups = amputee.nonzero()[:, 0], (~amputee).nonzero()[:, 0]
    if not len(groups[1]):
        return by_amputee(probabilities)
    if not len(groups[0]):
        return by_intact(probabilities)
    decoded = [
        decoder(probabilities[group]) for decoder, group in zip((by_amputee, by_intact), groups, strict=True)
    ]
    return torch.cat(decoded)[torch.cat(groups).argsort()]
