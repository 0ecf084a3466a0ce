#!/usr/bin/env bash
# Whether any number of ranks trains the bytes that one process trains, under mpirun on this machine. Needs openmpi-bin and a built clone.
#   scripts/check-distributed.sh [STEP...]     default: ranks models
#     ranks     the MNIST network, STEPS (200) steps at --reproducible 8 on 1, 2, 3, 4 and 8 ranks, and stopped on 4 and resumed on 3
#     models    every model of the catalogue, two short epochs on two ranks against one process; some 10 minutes
#     network   (by name only) two network namespaces as two hosts over TCP, the link cut in the middle of a step; needs root and NET_ADMIN,
#               else it exits with 77
set -uo pipefail
cd "$(dirname "$0")/.."
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none VAE_DATA=$PWD/datasets
steps=${STEPS:-200}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
vae=(dotnet "$PWD/Cli/bin/Release/net10.0/vae.dll")
fail() { echo "FAIL  $*"; failed=1; tail -n 20 "$work/log"; }

# train RANKS OUT OPTIONS...: on so many ranks of one thread each; on one without MPI.
train() {
  local ranks=$1 out=$2 launch=() how=()
  shift 2
  ((ranks == 1)) || { launch=(mpirun --oversubscribe --bind-to none -n "$ranks"); how=(--distributed mpi); }
  "${launch[@]}" "${vae[@]}" train "$@" "${how[@]}" --device cpu --threads 1 --report false --plain --out "$out" >"$work/log" 2>&1
}

# same WHAT RUN: whether a run has the weights of the one in $work/alone.
same() {
  cmp -s "$work/alone/model.safetensors" "$2/model.safetensors" && echo "ok    $1: the bytes of one process" || fail "$1: other bytes"
}

ranks() {
  local count options=(beta-vae --network conv --reproducible 8 --batch 100 --limit $((steps * 50)) --epochs 2)
  train 1 "$work/alone" "${options[@]}" || fail "one process"
  for count in 2 3 4 8; do
    train $count "$work/ranks-$count" "${options[@]}" || fail "$count ranks"
    same "$steps steps on $count ranks" "$work/ranks-$count"
  done
  train 4 "$work/resumed" "${options[@]:0:7}" --limit $((steps * 50)) --epochs 1 || fail "an epoch on 4 ranks"
  train 3 "$work/resumed" --resume --epochs 2 || fail "an epoch more on 3 ranks"
  same "an epoch on 4 ranks and one on 3" "$work/resumed"
}

models() {
  local model code options list='import json, sys; [print(m["name"], c) for m in json.load(sys.stdin)["models"] for c in m["codes"]]'
  while read -r model code; do
    rm -rf "$work/alone" "$work/two"
    options=("$model" --code "$code" --network mlp:32 --reproducible 2 --epochs 2 --limit 200 --batch 40)
    case $model in
      ada-gvae) options+=(--data synthetic-shapes) ;;
      exon) options+=(--labels 0) ;;
    esac
    train 1 "$work/alone" "${options[@]}" || { fail "$model --code $code on one process"; continue; }
    train 2 "$work/two" "${options[@]}" </dev/null || { fail "$model --code $code on two ranks"; continue; }
    same "$model --code $code on two ranks" "$work/two"
  done < <("${vae[@]}" list models --json | python3 -c "$list")
}

# Rank 0 in one namespace, rank 1 in another; the deadline of the ranks is 20 s here.
network() {
  local a=vae-a-$$ b=vae-b-$$ start status
  [ "$(id -u)" = 0 ] && ip netns add "$a" 2>/dev/null || { echo "network namespaces need root and NET_ADMIN"; exit 77; }
  trap 'ip netns del '"$a"'; ip netns del '"$b"'; rm -rf "$work"' EXIT
  ip netns add "$b" && ip link add veth-a-$$ netns "$a" type veth peer name veth-b-$$ netns "$b" || { echo "no veth pair"; exit 77; }
  ip -n "$a" addr add 10.77.0.1/24 dev veth-a-$$ && ip -n "$b" addr add 10.77.0.2/24 dev veth-b-$$
  for i in "$a veth-a-$$" "$b veth-b-$$"; do ip -n ${i% *} link set lo up; ip -n ${i% *} link set ${i#* } up; done
  # mpirun reaches the second "host" by this instead of ssh.
  printf '#!/bin/sh\nshift\nexec ip netns exec %s sh -c "$*"\n' "$b" >"$work/agent"
  chmod +x "$work/agent"
  ip netns exec "$a" mpirun --host 10.77.0.1,10.77.0.2 -n 2 --mca plm_rsh_agent "$work/agent" --mca btl tcp,self \
    --mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 2 --mca oob_tcp_if_include 10.77.0.0/24 --mca btl_tcp_if_include 10.77.0.0/24 -x VAE_DATA -x VAE_MPI_SECONDS=20 \
    "${vae[@]}" train vae --network mlp:64 --limit 1000 --epochs 100000 --distributed mpi --device cpu --threads 1 --report false \
    --plain --out "$work/cut" >"$work/log" 2>&1 &
  local mpirun=$!
  for _ in $(seq 1200); do [ -e "$work/cut/metrics.csv" ] && break; sleep 0.1; done
  [ -e "$work/cut/metrics.csv" ] || { fail "network: no epoch on two hosts"; kill $mpirun; return; }
  ip -n "$a" link set veth-a-$$ down
  start=$SECONDS
  wait $mpirun
  status=$?
  ((status != 0 && SECONDS - start <= 60)) && echo "ok    the link is cut: the run ended after $((SECONDS - start)) s with exit code $status" ||
    fail "network: exit code $status after $((SECONDS - start)) s"
}

for step in "${@:-ranks}"; do
  case $step in ranks | models | network) "$step" ;; *) echo "unknown step $step; see the head of this script"; exit 2 ;; esac
done
[ $# -gt 0 ] || models
exit $failed
