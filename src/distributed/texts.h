#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "distributed/group.h"

namespace hone::distributed {

/// Every rank's text, by rank; they may differ in length. Alone: this one's.
std::vector<std::string> gather_texts(const Group& group, const std::string& text,
                                      std::string_view what, Patience patience = Patience::kStep);

}  // namespace hone::distributed
