#include "cli/verbs.h"

/// jemalloc's settings. Tensors of a step lie where those of the step before did: pages that were
/// touched once are kept, and large. A training step of SmolLM2 is 4 % faster so, and holds 4 %
/// more (tests/bench/step/compare.py with MALLOC_CONF).
extern "C" {
const char* malloc_conf = "thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1";
}

int main(int argc, char** argv) { return static_cast<int>(hone::cli::run(argc, argv)); }
