"""``ajahr import-weights``: published checkpoints to this project's files, and back.

ajahr import-weights vitpose vitpose_backbone.pth --output weights/vitpose.safetensors
ajahr import-weights hmr2 epoch=35-step=1000000.ckpt --output weights/hmr2
ajahr import-weights tokenhmr tokenhmr_model.ckpt --tokenizer tokenizer.pth --output weights/tokenhmr
ajahr import-weights ajahr ajahr_ckeckpoint.ckpt --output weights/ajahr
ajahr import-weights tokenizer best_net.pth --output weights/amputee.safetensors

With --export true the other way round: FILE is ours and --output theirs. Nothing in a file is executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ajahr.cli.console import Parser, call
from ajahr.errors import UserError

_ABOUT = "Published checkpoints to this project's files and, with --export true, back."
Kind = Literal["vitpose", "hmr2", "tokenhmr", "ajahr", "tokenizer"]


def import_weights(
    kind: Kind,
    file: Path,
    output: Path,
    tokenizer: Path | None = None,
    amputee_tokens: int | None = None,
    intact_tokens: int | None = None,
    keypoints: Literal["image", "crop"] = "image",
    half: bool = False,
    export: bool = False,
) -> None:
    """Read a published checkpoint, tensor by tensor, and write it as ours; or the reverse.

    Args:
        kind: Whose checkpoint.
        file: The checkpoint; with export, what this command once wrote.
        output: A folder for hmr2, tokenhmr and ajahr; a .safetensors file for vitpose and tokenizer.
        tokenizer: TokenHMR's tokenizer.pth, which its checkpoint lacks.
        amputee_tokens: AJAHR: tokens the amputee tokenizer was trained for, if not the token head's number.
        intact_tokens: The same for the tokenizer of intact poses.
        keypoints: AJAHR: where BPAC-Net's keypoints are drawn: in whole-image pixels, as the released demo does, or
            in the crop, as the paper has it.
        half: Store regressors in half precision.
        export: Write theirs from ours.
    """
    if output.exists() and output.is_dir() != (kind not in ("vitpose", "tokenizer") and not export):
        raise UserError(
            f"{output}: is {'a folder' if output.is_dir() else 'a file'}; choose another --output"
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if export:
            _export(kind, file, output)
        else:
            tokens = {"amputee": amputee_tokens, "intact": intact_tokens}
            given = {name: number for name, number in tokens.items() if number is not None}
            _import(kind, file, output, tokenizer, given, keypoints == "image", half)
    except OSError as error:
        raise UserError(
            f"cannot write {output}: {error.strerror or error}; choose another --output"
        ) from error


def _import(
    kind: Kind,
    file: Path,
    output: Path,
    tokenizer: Path | None,
    tokens: dict[str, int],
    legacy_demo: bool,
    half: bool,
) -> None:
    from ajahr.models import pretrained  # torch is loaded when there is something to do
    from ajahr.models.published import regressors, vitpose
    from tokenizer.upstream import import_published

    if kind == "vitpose":
        backbone = vitpose.import_backbone(file)
        pretrained.save_backbone(backbone, output)
        print(f"{output}: a backbone of {_millions(backbone)} million weights")
    elif kind == "tokenizer":
        made = import_published(file)
        made.save(output)
        print(f"{output}: a tokenizer of {made.config.num_tokens} tokens, {made.config.num_codes} codes")
    else:
        regressor = regressors.import_regressor(
            kind, file, tokenizer=tokenizer, tokens=tokens, legacy_demo=legacy_demo
        )
        pretrained.save_pretrained(regressor, output, half=half, body=regressors.BODY)
        count = f" and {regressor.config.tokens} tokens" if regressor.token_head is not None else ""
        print(f"{output}: a regressor of {_millions(regressor)} million weights{count}, for SMPL's body")


def _export(kind: Kind, file: Path, output: Path) -> None:
    from ajahr.models import pretrained
    from ajahr.models.published import regressors, vitpose
    from tokenizer.upstream import export_published
    from tokenizer.vqvae import PoseTokenizer

    if kind == "tokenizer":
        export_published(PoseTokenizer.load(file), output)
    elif kind == "vitpose":
        vitpose.export_backbone(pretrained.load_backbone(file), output)
    else:
        regressor = pretrained.load_pretrained(file, any_body=True)
        if regressor.config.pose_head != kind:
            raise UserError(f"{file}: holds {regressor.config.pose_head}'s pose head; export it as that")
        regressors.export_regressor(regressor, output)
    print(f"{output}: written under the names {kind}'s code reads")


def _millions(module) -> str:
    return f"{sum(one.numel() for one in module.parameters()) / 1e6:.1f}"


def main(argv: Sequence[str]) -> int:
    parser = Parser(prog="ajahr import-weights", description=_ABOUT)
    parser.add_argument("kind", type=Kind, help="vitpose, hmr2, tokenhmr, ajahr or tokenizer")
    parser.add_argument("file", type=Path, help="the checkpoint; with --export, what this command once wrote")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    return call(import_weights, parser, argv)
