#include "engine/version.h"

#include <torch/version.h>

#include "hone_commit.h"

namespace hone::engine {

CodeVersion code_version() { return {HONE_VERSION, HONE_COMMIT, TORCH_VERSION}; }

}  // namespace hone::engine
