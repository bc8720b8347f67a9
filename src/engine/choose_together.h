#pragma once

#include <functional>
#include <optional>

#include "checkpoint/manifest.h"
#include "distributed/group.h"

namespace hone::engine {

/// What the first rank chooses among folders, of which each rank reads and hashes its share of the
/// files.
/// @param choose called on the first rank alone, with how folders are to be verified
/// @return the same on all ranks
std::optional<checkpoint::VerifiedFolder> choose_together(
    const distributed::Group& group, const std::function<std::optional<checkpoint::VerifiedFolder>(
                                         const checkpoint::Verify& verify)>& choose);

}  // namespace hone::engine
