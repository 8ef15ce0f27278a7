"""The main job: photographs in, a dataset of people with limb loss out.

1. Claim the output folder for this configuration.
2. Clean backgrounds, once (`synth.prepare`); poses out of files, once (`synth.pose_sources.build`); textures, once
   (`synth.appearance.bank`).
3. Shards, in as many processes as asked for (`synth.engine.local`), or on a Ray cluster
   (`synth.engine.ray_engine`).
4. ``dataset.json``, a contact sheet and a table.

Finished parts are never made twice, so the same command goes on where a killed run stopped; on a finished dataset
it makes damaged shards again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ajahr.body.data import BodyData, load_body
from ajahr.body.fast import FastBody
from ajahr.data.dataset import (
    MANIFEST_NAME,
    BodyStamp,
    Manifest,
    RunStamp,
    claim_folder,
    code_version,
    damaged_shards,
    finish_dataset,
    read_manifest,
    read_stamp,
)
from ajahr.data.files import remove_stale
from ajahr.data.shards import ShardWriter, remove_shard, shard_is_whole, shard_name
from ajahr.errors import UserError
from synth.appearance.source import TextureSource
from synth.background_bank import BackgroundBank
from synth.config import GenerateConfig
from synth.engine.local import interrupts_ignored, map_processes, worker_count
from synth.engine.ray_engine import MapTasks, ray_cluster
from synth.occluders.bank import OCCLUDERS, OccluderBank
from synth.pose_sources.bank import PoseBank
from synth.prepare import (
    inputs_sha256,
    open_backgrounds,
    poses_folder,
    prepare_backgrounds,
    prepare_occluders,
    prepare_poses,
    texture_source,
    work_drops,
)
from synth.progress import Progress
from synth.record import Drop, Record, Stage, run_recipe
from synth.splits import split_seed
from synth.stages.appearance import Appear, identity_numbers
from synth.stages.compose import Compose
from synth.stages.encode import Encode
from synth.stages.hard_cases import HardCases, TakeAids
from synth.stages.label import Label
from synth.stages.occlude import Occlude
from synth.stages.place import Place
from synth.stages.pose import Pose
from synth.stages.props import PutOn
from synth.stages.render import Render
from synth.stages.residual import CutLimbs, DrawEnds
from synth.stages.scene import Amputate, PickScene
from synth.timing import WRITE, StageClock

MAX_ATTEMPTS = 32
"""Draws of one scene before the picture is given up."""
WORK = ".work"
"""Folder inside the output that holds the banks; may be deleted once ``dataset.json`` is there."""


def build_recipe(
    config: GenerateConfig,
    backgrounds: BackgroundBank,
    textures: TextureSource,
    body: BodyData,
    poses: PoseBank | None = None,
    occluders: OccluderBank | None = None,
) -> list[Stage]:
    """The recipe of one picture, in order."""
    fast, amputate = FastBody(body), Amputate(config.amputation)
    return [
        PickScene(backgrounds, (config.people_per_image[0], config.people_per_image[1]), config.render),
        amputate,
        HardCases(config.hard_cases, amputate),
        DrawEnds(config.residual),
        Pose(config.poses, backgrounds, poses, own_shape=config.body is not None),
        TakeAids(config.poses),
        Appear(textures, body, identity_numbers(config), config.seed),
        Place(fast, config.render),
        CutLimbs(fast),
        PutOn(fast),
        Occlude(occluders, config.render, config.realism),
        Render(body, config.render, config.realism),
        Compose(fast, backgrounds, config.render, config.realism),
        Label(config, body.gender),
        Encode(config.render, config.realism),
    ]


def make_scene(config: GenerateConfig, recipe: list[Stage], scene: int) -> tuple[list[Record], list[str]]:
    """The pictures of one scene, two with twins: a pure function of the configuration, the banks, the number.

    A scene that a stage drops is drawn again with the next attempt's numbers, as often as `MAX_ATTEMPTS`.
    Twins share scene and attempt: what drops one drops the other.

    Returns:
        The records, none if every attempt was dropped; and the reasons of the drops.
    """
    reasons = []
    seed = split_seed(
        config.seed, config.split, config.split_shares
    )  # nobody of another split is drawn again
    for attempt in range(MAX_ATTEMPTS):
        try:
            records = []
            for is_twin in (False, True) if config.twins else (False,):
                index = 2 * scene + is_twin if config.twins else scene
                rng = np.random.default_rng([seed, scene, attempt])
                records.append(run_recipe(recipe, Record(index, scene, is_twin, rng)))
            return records, reasons
        except Drop as drop:
            reasons.append(drop.reason)
    return [], reasons


def make_shard(config: GenerateConfig, work: Path, shard: int, tick: Callable[[], None]) -> None:
    """Write one shard, unless it is whole already."""
    indices = config.shard_indices(shard)
    if shard_is_whole(config.output, shard):
        for _ in indices:
            tick()
        return
    # the first scene of a process is not timed: it waits for compiled code and empty caches
    clock = StageClock(running=(str(config), str(work)) in _recipes)
    timed = 0
    recipe = clock.timed(_recipe_of_this_process(config, work))
    pictures = 2 if config.twins else 1
    with ShardWriter(config.output, shard) as writer:
        for index in indices[::pictures]:
            records, reasons = make_scene(config, recipe, index // pictures)
            for reason in reasons:
                writer.drop(reason)
            if not records:
                writer.drop("picture_given_up", pictures)
            for record in records:
                assert record.annotation is not None
                with clock.measure(WRITE):
                    writer.add(record.annotation, record.files["jpg"], record.files["mask.png"])
            timed += len(records) if clock.running else 0
            clock.running = True
            for _ in range(pictures):
                tick()
    clock.write(work, shard, timed)


def load_recipe(config: GenerateConfig, work: Path) -> list[Stage]:
    """The recipe with its banks and bodies, which are there."""
    body = load_body(config.body)
    textures = texture_source(config, work, body)
    poses = PoseBank(poses_folder(config, work))
    occluders = OccluderBank(work / OCCLUDERS) if config.hard_cases.occluded_object else None
    return build_recipe(config, open_backgrounds(config, work), textures, body, poses, occluders)


_recipes: dict[tuple[str, str], list[Stage]] = {}


def _recipe_of_this_process(config: GenerateConfig, work: Path) -> list[Stage]:
    """The recipe with its banks and bodies, made once per process and configuration."""
    key = (str(config), str(work))
    if key not in _recipes:
        _recipes.clear()
        _recipes[key] = load_recipe(config, work)
    return _recipes[key]


def _make_shards(config: GenerateConfig, shards: list[int], map_tasks: MapTasks, progress: Progress) -> None:
    started = time.monotonic()
    total = sum(len(config.shard_indices(shard)) for shard in shards)
    config = _anywhere(config)
    with progress.bar("pictures", total) as tick:
        map_tasks(make_shard, [(config, config.output / WORK, shard) for shard in shards], tick)
    for place in ("shards", "annotations"):
        remove_stale(config.output / place)  # of workers that died and whose shard another one made
    progress.note(f"{total} pictures in {time.monotonic() - started:.1f} s")


@contextmanager
def _engine(config: GenerateConfig, workers: int) -> Iterator[MapTasks]:
    """What makes the shards, there before the first photograph is touched."""
    if config.run.engine == "ray":
        with ray_cluster(config.run.address, config.run.workers) as map_tasks:
            yield map_tasks
    else:
        yield lambda function, tasks, tick: map_processes(function, tasks, workers, tick)


def _anywhere(config: GenerateConfig) -> GenerateConfig:
    """The configuration with absolute paths: other machines' workers start in another folder."""
    bank, clean = config.appearance.bank, config.backgrounds.bank
    return dataclasses.replace(
        config,
        output=config.output.absolute(),
        body=config.body and config.body.absolute(),
        appearance=dataclasses.replace(config.appearance, bank=bank and bank.absolute()),
        backgrounds=dataclasses.replace(config.backgrounds, bank=clean and clean.absolute()),
    )


def generate(config: GenerateConfig, progress: Progress) -> Manifest | None:
    """Make the dataset, or this machine's part of it.

    Returns:
        The manifest when every shard is there, None while other machines' shards are missing.

    Raises:
        UserError: for everything the user can mend; finished shards are kept.
    """
    config.check()
    shards = config.my_shards()
    body = load_body(config.body)
    if body.uv is None:
        raise UserError(f"{config.body}: a body without texture coordinates; put smpl_uv.obj beside it")
    stamp = claim_folder(
        config.output,
        RunStamp(
            config.seed,
            config.content(),
            BodyStamp(body.name, body.licence, {body.gender: body.sha256}),
            code_version(),
            _inputs(config),
        ),
    )
    if (config.output / MANIFEST_NAME).exists():
        manifest = _whole(config.output, progress)
        if manifest is not None:
            return manifest
    work = config.output / WORK
    workers = worker_count(config.run.workers)
    open_shards = [shard for shard in shards if not shard_is_whole(config.output, shard)]
    if open_shards:
        try:
            with _engine(config, workers) as map_tasks:
                prepare_backgrounds(config, work, workers, progress)
                prepare_poses(config, work, workers, progress)
                texture_source(config, work, body, workers=workers, progress=progress)
                prepare_occluders(config, work)
                _make_shards(config, open_shards, map_tasks, progress)
        except BaseException:
            with interrupts_ignored():
                for part in ("shards", "annotations"):  # what stopped workers had begun
                    remove_stale(config.output / part)
            raise
    if not all(shard_is_whole(config.output, shard) for shard in range(config.num_shards)):
        return None
    return finish_dataset(config.output, stamp, config.num_shards, work_drops(config, work))


def _inputs(config: GenerateConfig) -> dict[str, str]:
    """`inputs_sha256`; a finished dataset outlives what it was made from."""
    try:
        return inputs_sha256(config)
    except UserError:
        if not (config.output / MANIFEST_NAME).exists():
            raise
        return read_stamp(config.output).inputs


def _whole(folder: Path, progress: Progress) -> Manifest | None:
    """The manifest of a finished dataset, or None once what is damaged in it is out of the way to be made again."""
    try:
        manifest = read_manifest(folder)
    except UserError as error:
        progress.note(f"{error}: written again")
        return None
    with progress.bar("checking", len(manifest.shards)) as tick:
        damaged = damaged_shards(folder, manifest, tick)
    if not damaged:
        return manifest
    for number in damaged:
        remove_shard(folder, number)
    progress.note(f"damaged, made again: {', '.join(shard_name(number) for number in damaged)}")
    return None
