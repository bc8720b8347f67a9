#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/history.h"

namespace hone::report {

/// A page about one run, or several side by side: how they ended, what their curves say, the
/// curves, the options in which they differ, and what each was made of.
/// @param runs at least one
/// @param page_folder where the page will lie, and its links begin
std::string run_page(const std::vector<RunHistory>& runs, const std::filesystem::path& page_folder);

}  // namespace hone::report
