#!/bin/bash
# Starts the landmark training and returns at once. Usage: bash .gpu/lm1/start.sh [MINUTES [OPTION ...]]
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p /tmp/lm/out /tmp/lm/cache
cp "$here/lm1/gpu_landmarks_train.py" /tmp/lm/
cd /tmp/lm || exit 1
export XLA_PYTHON_CLIENT_MEM_FRACTION=${LM_MEM:-0.5} XLA_FLAGS=--xla_gpu_autotune_level=2
export JAX_COMPILATION_CACHE_DIR=/tmp/lm/cache PYTHONUNBUFFERED=1 TF_CPP_MIN_LOG_LEVEL=2
unset PYTHONPATH
minutes=${1:-22}
export HERE=$here UNTIL=$(($(date +%s) + minutes * 60)) MORE="${*:2}"
setsid nohup bash -c 'again=
for i in 1 2 3; do
    python3 gpu_landmarks_train.py --parts $HERE/lm1 $HERE/lm2 $HERE/lm3 --out /tmp/lm/out \
        --work /tmp/lm --until $UNTIL $MORE $again && break
    [ $(($UNTIL - $(date +%s))) -gt 120 ] || break
    again=--taught
done' > /tmp/lm/out/console.txt 2>&1 < /dev/null &
echo "started, pid $!, until $UNTIL"
