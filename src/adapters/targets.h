#pragma once

#include <string>
#include <vector>

#include "adapters/method.h"

namespace hone::adapters {

/// The modules that an adapter's settings choose among those that its method can sit on:
/// target_modules (all-linear, names by their last parts, or one regular expression),
/// exclude_modules, layers_to_transform, layers_pattern; those of modules_to_save are left out.
/// @throws ConfigError where a name, pattern or layer number says nothing of this model, with what
///         there is and what was probably meant; where nothing is chosen; where a regular
///         expression reaches the head without naming it
std::vector<Site> choose_sites(const Method& method, const Settings& settings,
                               const std::vector<Site>& sites);

/// The modules that modules_to_save names. @throws ConfigError as above
std::vector<Site> sites_to_save(const Settings& settings, const std::vector<Site>& sites);

/// What adapter_config.json calls the adapted modules: their last name (`q_proj`) where every
/// module of that name is adapted, else their whole names; sorted.
std::vector<std::string> name_targets(const std::vector<Site>& chosen,
                                      const std::vector<Site>& all);

/// Each of the modules' last names once: "q_proj, k_proj, …", for messages.
std::string last_names(const std::vector<Site>& sites);

}  // namespace hone::adapters
