# shellcheck shell=bash
# Shared by the scripts beside it: `. tools/common.sh` from the repository's root.

say() { printf '%s\n' "$*" >&2; }

# fail WHAT [REMEDY...]: one line on what went wrong, the rest indented, exit 1.
fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 1
}

# How many compilers or tests run at once: one a core, and 4 GiB of memory for each, because a
# source file that includes LibTorch takes up to 3. HONE_JOBS overrides it.
job_count() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemTotal:/ {print int($2 / 4194304 + 0.5)}' /proc/meminfo)
  ((memory >= 1)) || memory=1
  echo "${HONE_JOBS:-$((cores < memory ? cores : memory))}"
}

# configure ON|OFF: cmake into build/, with or without the tests. A build folder that has tests
# keeps them, so that quickstart and test can take turns without building anything twice.
configure() {
  local tests=$1
  local options=(-DHONE_CUDA="${HONE_CUDA:-AUTO}" -DHONE_PARQUET="${HONE_PARQUET:-AUTO}")
  if grep -qs '^HONE_TESTS:BOOL=ON' build/CMakeCache.txt; then tests=ON; fi
  [[ -z ${HONE_DEPS:-} ]] || options+=(-DHONE_DEPS="$HONE_DEPS")
  [[ -z ${Torch_DIR:-} ]] || options+=(-DTorch_DIR="$Torch_DIR")
  cmake -S . -B build -G Ninja -DHONE_TESTS="$tests" "${options[@]}" >&2
}

# own_files: the repository's files, one a line; outside a git checkout, every file of its folders.
own_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    local file
    git ls-files | while IFS= read -r file; do
      [[ ! -f $file ]] || printf '%s\n' "$file"
    done
  else
    find CMakeLists.txt configs src trainers datasets tests tools .ci -type f 2>/dev/null
  fi
}
