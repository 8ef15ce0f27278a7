"""``ajahr fit``: train what a YAML file describes. ``ajahr validate`` and ``ajahr test`` measure it.

The YAML names a LightningModule (``model``), a LightningDataModule (``data``) and the settings of Lightning's
Trainer (``trainer``); configs/ has one for every job. A run that SIGTERM stopped saves first, and the same command
goes on with it.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from ajahr.cli.console import Parser, tell_log
from ajahr.errors import UserError
from ajahr.training.interruption import (
    SaveOnTermination,
    continued_table,
    find_interrupted,
    run_folder,
    run_version,
)
from tokenizer.checkpoints import read_checkpoint
from tokenizer.errors import InputError

EXIT_TERMINATED = 143
"""What a shell calls a process that SIGTERM ended."""
Job = Literal["fit", "validate", "test"]
ABOUT: dict[Job, str] = {
    "fit": "Train what a YAML file of configs/ describes.",
    "validate": "Measure a checkpoint on the validation data of its YAML file.",
    "test": "Measure a checkpoint on the test data of its YAML file.",
}


class _JobParser(Parser, LightningArgumentParser):
    """Lightning's parser with this project's one-line errors."""

    def instantiate_classes(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.instantiate(
                cfg, *args, **kwargs
            )  # Lightning calls the name that jsonargparse gave up
        except (
            ValueError
        ) as error:  # jsonargparse lists every type it tried; what the class itself said matters
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, (UserError, InputError)):
                    raise cause from None
                cause = cause.__cause__ or cause.__context__
            raise

    def save(self, *args: Any, skip_none: bool = False, **kwargs: Any) -> None:
        super().save(*args, skip_unset=skip_none, **kwargs)  # likewise


class _JobCli(LightningCLI):
    """Model, data and trainer out of the YAML. Runs nothing by itself."""

    def __init__(self, job: Job, argv: Sequence[str]) -> None:
        self.job: Job = job
        self.interrupted: Path | None = None
        self.terminated = SaveOnTermination()
        super().__init__(
            pl.LightningModule,
            pl.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            parser_class=_JobParser,
            parser_kwargs={"prog": f"ajahr {job}", "description": ABOUT[job]},
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            args=with_bases(argv),
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        what = "continue this run" if self.job == "fit" else "the checkpoint to measure"
        parser.add_argument(
            "--base",
            type=str | None,
            default=None,
            help="in a --config file: another YAML beside it, whose settings it changes",
        )
        parser.add_argument("--ckpt_path", type=Path | None, default=None, help=f"{what}: a .ckpt file")
        parser.add_argument(
            "--output",
            type=Path | None,
            default=None,
            help="folder of the run: version_0, version_1 ... in it get the logs (CSV, TensorBoard), pictures "
            "and checkpoints; loggers under trainer win over it",
        )
        parser.add_argument(
            "--threads", type=int | None, default=None, help="CPU threads; None: as many as cores"
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.config = parser.parse_args(args)  # Lightning's own warns that sys.argv is not read

    def before_instantiate_classes(self) -> None:
        if not self.config.get("model") or not self.config.get("data"):
            raise UserError("no model or no data is named; give --config with a YAML file of configs/")
        threads = self.config.get("threads")
        if threads is not None:
            if threads < 1:
                raise UserError(f"threads is {threads}; give at least 1")
            torch.set_num_threads(threads)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        output: Path | None = self.config.get("output")
        if self.job != "fit":
            kwargs["logger"] = False
        elif output is not None and self.config.get("trainer.logger") is None:
            if self.config.get("ckpt_path") is None:
                self.interrupted = find_interrupted(output)
            kwargs["logger"] = _loggers(output, self.interrupted)
        if self.job != "fit":  # nothing to keep but the numbers
            self.save_config_callback = None
        trainer = super().instantiate_trainer(**kwargs)
        if self.job == "fit":
            cast(Any, trainer).callbacks.append(self.terminated)
        return trainer


def _loggers(output: Path, interrupted: Path | None) -> list[Logger]:
    """CSV, and TensorBoard where it is installed, in one new folder of the run, or in that of an interrupted one."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {output}: {error.strerror}; choose another --output") from error
    table: CSVLogger = (
        CSVLogger(output, name="")
        if interrupted is None
        else continued_table(output, run_version(interrupted))
    )
    loggers: list[Logger] = [table]
    if find_spec("tensorboard") is not None:
        loggers.append(TensorBoardLogger(output, name="", version=table.version))
    return loggers


def with_bases(argv: Sequence[str], seen: tuple[Path, ...] = ()) -> list[str]:
    """The arguments with the ``base`` of every --config file put before it, so that the file changes it.

    Raises:
        UserError: a base that is not there, or that leads back to itself.
    """
    out: list[str] = []
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token == "--config" and rest:
            token = f"--config={rest.pop(0)}"
        if token.startswith("--config="):
            out += _bases_of(Path(token.removeprefix("--config=")), seen)
        out.append(token)
    return out


def _bases_of(path: Path, seen: tuple[Path, ...]) -> list[str]:
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return []  # the parser has the words for it
    base = values.get("base") if isinstance(values, dict) else None
    if base is None:
        return []
    found = (path.parent / str(base)).resolve()
    if found in seen:
        raise UserError(f"{path}: its base {base} leads back to itself; leave one of them out")
    if not found.is_file():
        raise UserError(f"{path}: its base {base} is not there; it is looked for beside the file")
    return with_bases([f"--config={found}"], (*seen, path.resolve(), found))


def run_job(job: Job, argv: Sequence[str]) -> pl.Trainer:
    """Parse, build, run.

    Raises:
        UserError, InputError: what the options, the YAML, the data or the checkpoint have wrong.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _quieten()
    cli = _JobCli(job, argv)
    tell_log(rank=cli.trainer.global_rank)
    checkpoint: Path | None = cli.config.get("ckpt_path") or cli.interrupted
    if cli.interrupted is not None and cli.trainer.is_global_zero:
        print(f"going on with the interrupted run {cli.interrupted.parent}", flush=True)
    if checkpoint is not None:
        read_checkpoint(checkpoint)  # says in one line what is wrong with it, which Lightning does not
    elif job != "fit":
        raise UserError(f"no checkpoint; ajahr {job} needs --ckpt_path")
    path = None if checkpoint is None else str(checkpoint)
    run = getattr(cli.trainer, job)
    try:
        run(cli.model, datamodule=cli.datamodule, ckpt_path=path, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C
        if cli.terminated.saved is not None:
            if cli.trainer.is_global_zero:
                print(
                    f"stopped and saved {cli.terminated.saved}; the same command goes on from there",
                    flush=True,
                )
            raise SystemExit(EXIT_TERMINATED) from None
        if cli.trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    return cli.trainer


def _quieten() -> None:
    """Lightning's hints that the user can do nothing about."""
    for text in (
        r".*module\(s\) in eval mode at the start of training.*",  # frozen parts are, on purpose
        ".*LeafSpec.*",  # its own call of a deprecated torch function
        ".*does not have many workers.*",  # our loaders read ahead in a thread
        ".*The number of training batches.*smaller than the logging interval.*",
        ".*Checkpoint directory.*exists and is not empty.*",
        ".*The dirpath has changed.*",  # a resumed run writes beside the first one, not into it
        ".*Experiment logs directory.*exists and is not empty.*",  # going on with an interrupted one
    ):
        warnings.filterwarnings("ignore", text)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: "Tip:" not in record.getMessage()
    )


def main(argv: Sequence[str]) -> int:
    trainer = run_job("fit", argv)
    folder = run_folder(trainer)
    if folder is not None and trainer.is_global_zero:
        print(f"run: {folder}")
        for kind in ("best", "last"):
            if found := getattr(trainer.checkpoint_callback, f"{kind}_model_path", ""):
                print(f"{kind} checkpoint: {found}")
    return 0
