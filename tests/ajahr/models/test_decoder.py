from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ajahr.models.config import DecoderConfig
from ajahr.models.decoder import CrossAttention, Decoder

CONFIG = DecoderConfig(width=24, depth=2, heads=3, head_width=8, mlp_width=20)


def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(CONFIG, 16).double()


def textbook(attention: CrossAttention, x: Tensor, context: Tensor) -> Tensor:
    """Keys and values of every token, then torch's attention."""
    keys, values = attention.kv(context).chunk(2, -1)
    q, k, v = (y.unflatten(-1, (3, 8)).transpose(1, 2) for y in (attention.q(x)[:, None], keys, values))
    mixed = F.scaled_dot_product_attention(q, k, v)
    return attention.out(mixed.transpose(1, 2).flatten(2)[:, 0])


def test_cross_attention_equals_the_textbooks_in_values_and_gradients() -> None:
    torch.manual_seed(1)
    attention = CrossAttention(CONFIG, 16).double()
    x, context = torch.randn(5, 24).double(), torch.randn(5, 7, 16).double()
    gradients = []
    for function in (attention, lambda a, b: textbook(attention, a, b)):
        inputs = x.clone().requires_grad_(), context.clone().requires_grad_()
        y = function(*inputs)
        wanted = (*inputs, *attention.parameters())
        gradients.append((y, *torch.autograd.grad(y.square().sum(), wanted)))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_attention_to_one_token_is_its_value() -> None:
    """As BPAC-Net's token is attended to: the query cannot matter, and gets no gradient."""
    torch.manual_seed(2)
    attention = CrossAttention(CONFIG, 16).double()
    context = torch.randn(4, 1, 16).double()
    x = torch.randn(4, 24, dtype=torch.double, requires_grad=True)
    expected = attention.out(attention.kv(context)[:, 0, 24:])
    torch.testing.assert_close(attention(x, context), expected)
    (gradient,) = torch.autograd.grad(attention(x, context).sum(), x)
    assert gradient.abs().max() < 1e-12


def test_people_do_not_see_each_other() -> None:
    net, image, token = decoder(), torch.randn(4, 6, 16).double(), torch.randn(4, 16).double()
    together = net(image, token)
    for i in range(4):
        torch.testing.assert_close(net(image[i : i + 1], token[i : i + 1])[0], together[i])


def test_second_pass_starts_where_the_first_ends() -> None:
    net, image, token = decoder(), torch.randn(2, 6, 16).double(), torch.randn(2, 16).double()
    x = net(image)
    for layer in net.layers:
        x = layer(x, token[:, None])
    torch.testing.assert_close(net(image, token), x)


def test_bpac_token_gets_a_gradient() -> None:
    net, image = decoder(), torch.randn(2, 6, 16).double()
    token = torch.randn(2, 16, dtype=torch.double, requires_grad=True)
    net(image, token).sum().backward()
    assert token.grad is not None and token.grad.abs().min() > 0


def test_the_start_knows_what_is_where() -> None:
    """Attention alone gives the same query for tokens in another order; a start made of places does not."""
    torch.manual_seed(0)
    tokens = torch.randn(2, 6, 8)
    shuffled = tokens[:, torch.tensor([3, 0, 5, 1, 4, 2])]
    sizes = {"width": 16, "depth": 2, "heads": 2, "head_width": 4, "mlp_width": 16}
    plain = Decoder(DecoderConfig(**sizes), 8, tokens=6)
    torch.testing.assert_close(plain(tokens), plain(shuffled))
    started = Decoder(DecoderConfig(**sizes, start_channels=3), 8, tokens=6)
    assert not torch.allclose(started(tokens), started(shuffled), atol=1e-3)
    assert {n for n in started.state_dict() if n not in plain.state_dict()} == {
        f"start.{layer}.{part}" for layer in ("narrow", "mix", "out") for part in ("weight", "bias")
    }
