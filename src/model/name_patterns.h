#pragma once

#include <string>
#include <vector>

namespace hone::model {

/// Whether any pattern means a layer: it is the last parts of the name (`q_proj`,
/// `self_attn.q_proj`), or a regular expression that matches all of it.
/// @throws ConfigError for what is no regular expression
bool matches_any(const std::vector<std::string>& patterns, const std::string& name);

/// @param key what the patterns stand under in the config
/// @throws ConfigError naming each pattern that matches none of the names, and names there are
void check_patterns(const std::string& key, const std::vector<std::string>& patterns,
                    const std::vector<std::string>& names);

}  // namespace hone::model
