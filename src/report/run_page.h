#pragma once

#include <string>
#include <vector>

#include "report/history.h"

namespace hone::report {

/// A page about one run, or several side by side: how they ended, what their curves say, the
/// curves, the options in which they differ, and what each was made of.
/// @param runs at least one
std::string run_page(const std::vector<RunHistory>& runs);

}  // namespace hone::report
