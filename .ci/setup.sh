#!/usr/bin/env bash
# Builds .venv with everything the demo and the tests need; with the argument
# "onedl", .venv-onedl with the maintained forks of OpenMMLab instead. Needs
# Python 3.11, a C++ compiler and git. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-stock} in
    stock) venv=.venv lock=lock.txt mmcv=mmcv mmcv_pin=mmcv.txt ;;
    onedl) venv=.venv-onedl lock=lock-onedl.txt
        mmcv=onedl-mmcv mmcv_pin=mmcv-onedl.txt ;;
    *) echo "setup: no stack '$1'; stock or onedl" >&2; exit 2 ;;
esac
lock=requirements/$lock
mmcv_pin=requirements/$mmcv_pin
venv=$PWD/$venv
py=$venv/bin/python
stamp=$venv/.igq-setup
started=$SECONDS

line() { printf '[setup %4ss] %s\n' "$((SECONDS - started))" "$*"; }
step() { : >"$tmp/log"; printf '%s' "$*" >"$tmp/step"; line "$@"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
pin() { sed -n "s/^$1==\([^ ;]*\).*/\1/p" "$2"; }
quiet() { # quiet COMMAND...: its output is shown if it fails
    "$@" >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log" >&2; return 1; }
}

key=$(cat requirements/*.txt setup.py .ci/setup.sh .ci/mmcv_units.py \
    igq_mmdet/kernels/csrc/* | sha256sum | cut -d' ' -f1)
key="$key $PWD"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] &&
        "$py" -c '' 2>/dev/null; then
    exit 0
fi
rm -f "$stamp"

tmp=$(mktemp -d)
build=
still=
trap '[ -z "$still" ] || kill "$still"; rm -rf "$tmp" "$build"' EXIT
# What uv is downloading and how far ninja is, as the log has it.
progress() {
    awk '$1 == "Downloading" { size[$2] = $3 }
        $1 == "Downloaded" { delete size[$2] }
        $1 ~ /^\[[0-9]+\/[0-9]+\]$/ { files = "file " $1 }
        END {
            for (name in size) text = text " " name " " size[name]
            print (text ? "downloading" text : files)
        }' "$tmp/log"
}
# No step is silent for longer than 10 s.
while sleep 10 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    line ... "$(cat "$tmp/step"): $(progress)"
done &
still=$!

is_311() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
        >/dev/null 2>&1
}
if ! is_311 "$py"; then
    python=
    for candidate in "${PYTHON:-}" python3.11 python3; do
        if [ -n "$candidate" ] && is_311 "$candidate"; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || die "Python 3.11 is needed, and neither python3.11" \
        "nor python3 is it. Install it, or name it: make setup" \
        "PYTHON=/path/to/python3.11"
    step "creating ${venv##*/} with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv" || die "'$python -m venv' failed (on Debian:" \
        "apt-get install python3.11-venv)"
fi

uv_version=$(pin uv requirements/dev.txt)
step "installing uv $uv_version"
quiet "$py" -m pip install --disable-pip-version-check \
    "uv==$uv_version" || die "pip could not install uv $uv_version"

step "installing $lock (several GB when downloaded first)"
VIRTUAL_ENV=$venv quiet "$venv/bin/uv" pip install -r "$lock" ||
    die "uv could not install $lock"
VIRTUAL_ENV=$venv quiet "$venv/bin/uv" pip install --no-deps \
    -r requirements/no_deps.txt || die "uv could not install requirements/no_deps.txt"
quiet "$py" -c 'import cv2, mmengine, torch, torchvision' ||
    die "an installed package does not import (if libGL is named:" \
        "apt-get install libgl1 libglib2.0-0)"

# mmcv is compiled against one torch and one Python, so its wheel is kept
# for these; with CUDA only where the toolkit can compile for the GPU there.
torch_version=$(pin torch requirements/runtime.txt)
mmcv_version=$(pin "$mmcv" "$mmcv_pin")
kind=
if command -v nvcc >/dev/null 2>&1 &&
        "$py" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'
then
    kind=-cuda
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/igq_mmdet/wheels
cache=$cache/torch$torch_version-cp311-$(uname -m)$kind

mmcv_works() {
    "$py" - "$mmcv_version" >/dev/null 2>&1 <<'PY'
import sys

import mmcv
import torch
from mmcv.ops import nms

assert mmcv.__version__ == sys.argv[1]
boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 9.0, 8.0]])
assert len(nms(boxes, torch.tensor([0.9, 0.8]), 0.5)[1]) == 1
PY
}
install_wheel() {
    VIRTUAL_ENV=$venv "$venv/bin/uv" pip install -q --no-deps \
        --force-reinstall "$1"
}

# No cache of pip's: it would hand out a wheel built for another torch.
wheel_of() {
    quiet "$py" -m pip -v wheel --no-deps --no-cache-dir \
        --no-build-isolation --wheel-dir "$build" "$@"
}
# A few files instead of 77, without debug symbols. False, with a line that
# says so, if any of it fails.
quick_build() {
    local sources=$build/sources
    step "building $mmcv $mmcv_version once (a few minutes)"
    mkdir "$sources"
    if quiet "$py" -m pip download --no-deps --no-cache-dir \
            --no-build-isolation --require-hashes --no-binary "$mmcv" \
            -d "$build" -r "$mmcv_pin" &&
        quiet tar xf "$build"/*.tar.gz -C "$sources" --strip-components=1 &&
        quiet "$py" .ci/mmcv_units.py merge "$sources" &&
        CFLAGS='-O2 -g0' wheel_of "$sources" &&
        quiet install_wheel "$build"/*.whl &&
        mmcv_works &&
        quiet "$py" .ci/mmcv_units.py check "$sources"
    then
        return 0
    fi
    line "that failed (see above)"
    return 1
}

mkdir -p "$cache"
wheel=$(find "$cache" -maxdepth 1 -name "${mmcv/-/_}-$mmcv_version-*.whl" | head -n 1)
if [ -n "$wheel" ]; then
    step "installing $mmcv $mmcv_version from ${wheel/#$HOME/\~}"
    if ! { install_wheel "$wheel" 2>/dev/null && mmcv_works; }; then
        step "that wheel does not work here; removing it"
        rm -f "$wheel"
        wheel=
    fi
fi
if [ -z "$wheel" ]; then
    command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 ||
        die "mmcv is compiled and no C++ compiler is found" \
            "(on Debian: apt-get install g++)"
    "$py" -c 'import os, sysconfig as s, sys
sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' ||
        die "mmcv is compiled and Python.h is not found" \
            "(on Debian: apt-get install python3.11-dev)"
    build=$(mktemp -d "$cache/build.XXXXXX")
    # A GPU without its toolkit would make the build look for nvcc.
    [ -n "$kind" ] || export CUDA_VISIBLE_DEVICES=
    export MMCV_WITH_OPS=1 MAX_JOBS=$(nproc) PATH=$venv/bin:$PATH
    if [ -z "$kind" ] && quick_build; then
        :
    else
        step "building $mmcv $mmcv_version in the ordinary way once (about" \
            "10 minutes on 2 cores)"
        rm -rf "$build"/*
        wheel_of --no-binary "$mmcv" -r "$mmcv_pin" ||
            die "$mmcv $mmcv_version could not be built (last lines above)"
        install_wheel "$build"/*.whl
        mmcv_works || die "$mmcv was built but does not work: see" \
            "$py -c 'import mmcv.ops'"
    fi
    mv "$build"/*.whl "$cache/"
    step "kept the wheel in ${cache/#$HOME/\~}"
fi

step "installing igq_mmdet itself, editable"
VIRTUAL_ENV=$venv quiet "$venv/bin/uv" pip install -q --no-deps \
    --no-build-isolation -e .
printf '%s\n' "$key" >"$stamp"
step "done"
