#pragma once

#include "engine/lineage.h"

namespace hone::engine {

/// What this program was built from.
CodeVersion code_version();

}  // namespace hone::engine
