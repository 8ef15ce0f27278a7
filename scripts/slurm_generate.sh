#!/bin/bash
#SBATCH --job-name=ajahr-synth
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2G
#SBATCH --time=08:00:00
#SBATCH --requeue
#
# One dataset on a SLURM array; the tasks share a folder that every node sees:
#
#     sbatch scripts/slurm_generate.sh --config configs/synth/coco.yaml --output /shared/a3d
#
# Task i of n makes every n-th shard beginning with the i-th; whoever finishes last writes dataset.json. The bytes
# do not depend on the number of tasks. Finished shards are kept, so the same line again, or a requeued task, goes
# on where it stopped. For some tasks of an array again, say of how many parts they are:
#
#     SHARES=16 sbatch --array=3,7 scripts/slurm_generate.sh --config ... --output ...
set -euo pipefail
: "${SLURM_ARRAY_TASK_ID:?submit this with sbatch as an array: sbatch --array=0-15 $0 --config ...}"
share="$SLURM_ARRAY_TASK_ID/${SHARES:-$SLURM_ARRAY_TASK_COUNT}"
exec ajahr-synth generate "$@" --run.shards "$share" --run.workers "${SLURM_CPUS_PER_TASK:-0}"
