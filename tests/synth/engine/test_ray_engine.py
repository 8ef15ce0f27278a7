"""Shards on Ray: the bytes of the local run, on a cluster of two nodes, with a worker killed in mid-shard.

Ray runs in a process of its own: what it leaves behind (threads, signal handlers, sockets) stays out of the suite.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ajahr.errors import UserError
from synth.engine.ray_engine import import_ray

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
pytestmark = [pytest.mark.slow]  # most of it is Ray's own start

JOB = """
import hashlib, json, os, signal, sys
from pathlib import Path
import cv2
import numpy as np
from ray.cluster_utils import Cluster
import synth.generate as g
from ajahr.data import dataset
from ajahr.errors import UserError
from synth.config import AppearanceConfig, GenerateConfig, PhotoSource, RenderConfig, RunConfig
from synth.engine.ray_engine import ray_cluster
from synth.progress import Progress

here = Path(sys.argv[1])
dataset.code_version = g.code_version = lambda: "this code"  # a commit meanwhile is no difference


def job(output, run):
    config = GenerateConfig(
        Path(output), num_images=6, shard_size=2, twins=True, render=RenderConfig(samples=1), run=run,
        photos=[PhotoSource(kind="clean", images=here / "photos")], appearance=AppearanceConfig(per_group=1, size=64),
    )
    g.generate(config, Progress(quiet=True))

def digest(output):
    parts = [path for part in ("shards", "annotations") for path in sorted((Path(output) / part).iterdir())]
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*parts, Path(output) / "dataset.json"]
    }

make_shard = g.make_shard

def killed_once(config, work, shard, tick):
    flag = here / f"killed {shard}"
    def tick_and_die():
        tick()
        if shard == 1 and not flag.exists():
            flag.write_text(" ".join(path.name for path in (config.output / "shards").iterdir()))
            os.kill(os.getpid(), signal.SIGKILL)
    make_shard(config, work, shard, tick_and_die)

def breaks(number, tick):
    if number == 2:
        raise UserError("picture 2: broken; mend it")

def nodes(number, tick):
    import time, ray
    tick(); tick()
    time.sleep(0.5)
    return number, ray.get_runtime_context().get_node_id()

def niceness(number, tick):
    return os.nice(0)

def main():
    (here / "photos").mkdir()
    small = np.random.default_rng(0).integers(40, 220, (9, 12, 3), dtype=np.uint8)
    cv2.imwrite(str(here / "photos" / "a.png"), cv2.resize(small, (240, 180), interpolation=cv2.INTER_CUBIC))
    job(here / "local", RunConfig(workers=1, sheet=0))
    told = {}
    try:
        with ray_cluster("127.0.0.1:1", 0): pass
    except UserError as error:
        told["no_cluster"] = str(error)
    os.environ["RAY_worker_niceness"] = "0"  # at Ray's 15 the workers starve beside other tests
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    os.chdir(here)
    g.make_shard = killed_once
    job("ray", RunConfig(engine="ray", address=cluster.address, workers=0, sheet=0))
    with ray_cluster(cluster.address, 0) as map_tasks:
        ticks = []
        found = map_tasks(nodes, [(i,) for i in range(4)], lambda: ticks.append(1))
        told |= {"order": [n for n, _ in found], "nodes": len({node for _, node in found}), "ticks": len(ticks)}
        try:
            map_tasks(breaks, [(i,) for i in range(4)], lambda: None)
        except UserError as error:
            told["broken"] = str(error)
    told |= {"half": (here / "killed 1").read_text(), "local": digest("local"), "ray": digest("ray")}
    cluster.shutdown()
    del os.environ["RAY_worker_niceness"]
    with ray_cluster("local", 1) as map_tasks:
        told["nice"] = [os.nice(0), *map_tasks(niceness, [(0,)], lambda: None)]
    told["environment"] = sorted(name for name in os.environ if name.startswith("RAY_"))
    print(json.dumps(told))

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("ray")
    (folder / "job.py").write_text(JOB)
    done = subprocess.run(
        [sys.executable, str(folder / "job.py"), str(folder)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@needs_ray
def test_a_cluster_with_a_worker_killed_in_mid_shard_gives_the_bytes_of_one_process(told):
    assert ".000001.tar" in told["half"]  # it died with the shard half written
    assert len(told["ray"]) == 10  # three per shard and dataset.json: nothing half-written is left
    assert told["ray"] == told["local"]


@needs_ray
def test_tasks_run_on_every_node_and_keep_their_order(told):
    assert told["order"] == [0, 1, 2, 3] and told["nodes"] == 2
    assert told["ticks"] == 8


@needs_ray
def test_a_users_mistake_comes_through_as_it_was(told):
    assert told["broken"] == "picture 2: broken; mend it"


@needs_ray
def test_workers_of_a_cluster_begun_for_the_job_are_no_less_eager_than_the_command(told):
    mine, workers = told["nice"]
    assert workers == mine  # Ray's own default is 15 more: any other job on the machine would come first
    assert "RAY_worker_niceness" not in told["environment"]


@needs_ray
def test_no_cluster_is_one_line(told):
    assert "127.0.0.1:1" in told["no_cluster"] and "ray start --head" in told["no_cluster"]
    assert "\n" not in told["no_cluster"]


def test_without_ray_the_command_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'ajahr\[ray\]'"):
        import_ray()
