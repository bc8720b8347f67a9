#pragma once

#include <string>
#include <vector>

#include "report/history.h"

namespace hone::report {

/// A page about one run, or several side by side: how they ended, what their curves say, the
/// curves, the options in which they differ, and what each was made of.
/// @param runs at least one
std::string run_page(const std::vector<RunHistory>& runs);

/// Seconds as people say them: 42 s, 3 min 20 s, 2 h 5 min.
std::string in_time(double seconds);

}  // namespace hone::report
