#!/usr/bin/env bash
# tools/ptq_coco.py on several processes: dist_ptq.sh CONFIG CHECKPOINT GPUS
# [arguments]. NNODES, NODE_RANK, MASTER_ADDR and PORT as in mmdet's
# dist_test.sh. Without a GPU the processes run on the CPU. TOOL is another
# of tools/, such as ptq_segmentation.py.

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of ptq_coco.py]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
GPUS=$3
NNODES=${NNODES:-1}
HERE=$(dirname "$0")

if [ "$NNODES" = 1 ] && [ -z "$PORT" ]; then
    RENDEZVOUS=(--standalone --local_addr=127.0.0.1) # a port that is free
else
    RENDEZVOUS=(
        --nnodes="$NNODES"
        --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:-127.0.0.1}"
        --master_port="${PORT:-29500}"
    )
fi
CORES=$(nproc)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((CORES > GPUS ? CORES / GPUS : 1))}
export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}
exec "${PYTHON:-python}" "$HERE/torchrun.py" "${RENDEZVOUS[@]}" \
    --nproc_per_node="$GPUS" "$HERE/${TOOL:-ptq_coco.py}" "$CONFIG" "$CHECKPOINT" \
    --launcher pytorch "${@:4}"
