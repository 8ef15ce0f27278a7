"""Lists of which tensor is which, and both directions derived from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ajahr.errors import UserError

_NAMED = 3


@dataclass(frozen=True)
class Entry:
    """One tensor of ours, and the one or several of theirs that hold the same numbers."""

    ours: str
    theirs: tuple[str, ...]
    to_ours: Callable[[list[Tensor]], Tensor]
    to_theirs: Callable[[Tensor], Sequence[Tensor]]


def same(ours: str, theirs: str) -> Entry:
    """The same tensor under another name."""
    return Entry(ours, (theirs,), lambda parts: parts[0], lambda value: [value])


def module(ours: str, theirs: str, parameters: Sequence[str] = ("weight", "bias")) -> list[Entry]:
    """The same module under another name."""
    return [same(f"{ours}.{name}", f"{theirs}.{name}") for name in parameters]


def reshaped(ours: str, theirs: str, ours_shape: Sequence[int], theirs_shape: Sequence[int]) -> Entry:
    """The same numbers in another shape."""
    return Entry(
        ours,
        (theirs,),
        lambda parts: parts[0].reshape(tuple(ours_shape)),
        lambda value: [value.reshape(tuple(theirs_shape))],
    )


def permuted(ours: str, theirs: str, order: Sequence[int]) -> Entry:
    """The same tensor with its axes in another order: ours is ``theirs.permute(order)``."""
    back = [list(order).index(i) for i in range(len(order))]
    return Entry(ours, (theirs,), lambda p: p[0].permute(*order), lambda v: [v.permute(*back)])


def rows(ours: str, theirs: Sequence[str], sizes: Sequence[int]) -> Entry:
    """Ours is theirs one below the other."""
    return Entry(ours, tuple(theirs), torch.cat, lambda value: value.split(list(sizes)))


def linear_rows(ours: str, theirs: Sequence[str], sizes: Sequence[int]) -> list[Entry]:
    """A linear layer that holds several of theirs."""
    return [rows(f"{ours}.{name}", [f"{one}.{name}" for one in theirs], sizes) for name in ("weight", "bias")]


@dataclass(frozen=True)
class Layout:
    """All entries of a kind of checkpoint.

    Attributes:
        entries: The tensors with a counterpart.
        only_ours: Names of ours without one; they stay as they are.
        ignored: Prefixes of theirs that mean nothing to us.
        constants: Theirs without a counterpart that their code wants in a file.
    """

    entries: Sequence[Entry]
    only_ours: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    constants: Mapping[str, Tensor] = field(default_factory=dict)

    def to_ours(
        self, state: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], what: str
    ) -> dict[str, Tensor]:
        """Their state dict as ours.

        Args:
            state: Theirs.
            shapes: Of every tensor of ours; not those of ``only_ours``.
            what: Names the state in messages.

        Raises:
            UserError: missing, unexpected or misshapen tensors, the first few named.
        """
        wanted = {name for entry in self.entries for name in entry.theirs}
        problems = []
        if missing := sorted(wanted - set(state)):
            problems.append(f"{len(missing)} tensors are missing ({_some(missing)})")
        skip = (*self.ignored, *self.constants)
        if unexpected := sorted(n for n in set(state) - wanted if not n.startswith(skip)):
            problems.append(f"{len(unexpected)} are unexpected ({_some(unexpected)})")
        if problems:
            raise UserError(f"{what}: {'; '.join(problems)}; is it a checkpoint of another kind?")
        converted = {}
        for entry in self.entries:
            parts = [
                state[name].float() if state[name].is_floating_point() else state[name]
                for name in entry.theirs
            ]
            try:
                value = entry.to_ours(parts)
            except (RuntimeError, IndexError):
                value = None
            if value is None or value.shape != shapes[entry.ours]:
                theirs = ", ".join(f"{n} {tuple(state[n].shape)}" for n in entry.theirs)
                raise UserError(
                    f"{what}: {theirs} does not fit {entry.ours} {tuple(shapes[entry.ours])}; "
                    "it was made with other sizes"
                )
            converted[entry.ours] = value
        uncovered = set(shapes) - set(converted) - set(self.only_ours)
        assert not uncovered, f"no entry for {sorted(uncovered)}"
        return converted

    def to_theirs(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our state dict as theirs, constants included, in memory of its own."""
        converted = {name: value.clone() for name, value in self.constants.items()}
        for entry in self.entries:
            parts = entry.to_theirs(state[entry.ours])
            for name, part in zip(entry.theirs, parts, strict=True):
                converted[name] = part.detach().clone(memory_format=torch.contiguous_format)
        return converted


def count(state: Iterable[str], prefix: str) -> int:
    """How many different numbers follow a prefix: ``blocks.`` of 32 blocks gives 32.

    Raises:
        UserError: none does.
    """
    found = {name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)}
    numbers = [int(one) for one in found if one.isdigit()]
    if not numbers:
        raise UserError(f"the checkpoint has no {prefix}*; is it of another kind?")
    return max(numbers) + 1


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
