#include "optim/groups.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <regex>

#include "base/error.h"

namespace hone::optim {
namespace {

struct Group {
  const GroupOptions* options;
  std::regex pattern;
  bool used = false;
};

std::vector<Group> compiled(const OptimOptions& options) {
  std::vector<Group> groups;
  for (const GroupOptions& group : options.groups) {
    try {
      groups.push_back({&group, std::regex(group.pattern)});
    } catch (const std::regex_error& error) {
      throw ConfigError(fmt::format("optim.groups: '{}' is no regular expression: {}",
                                    group.pattern, error.what()));
    }
  }
  return groups;
}

bool is_second_factor(const Parameter& parameter) {
  return parameter.name.find("lora_B") != std::string::npos ||
         parameter.name.find("lora_embedding_B") != std::string::npos;
}

void check_used(const std::vector<Group>& groups, const std::vector<Parameter>& parameters) {
  constexpr std::size_t kNamesShown = 5;
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters)
    if (names.size() < kNamesShown) names.push_back(parameter.name);
  for (const Group& group : groups)
    HONE_CHECK(ConfigError, group.used,
               "optim.groups: '{}' is found in none of the {} trained parameters (or earlier "
               "groups took them all); they are called {}, …",
               group.options->pattern, parameters.size(), fmt::join(names, ", "));
}

}  // namespace

std::vector<Rates> rates_of(const std::vector<Parameter>& parameters, const OptimOptions& options) {
  std::vector<Group> groups = compiled(options);
  const bool has_factors = std::any_of(parameters.begin(), parameters.end(), is_second_factor);
  HONE_CHECK(ConfigError, !options.loraplus_lr_ratio || has_factors,
             "optim.loraplus_lr_ratio: no LoRA is trained, so nothing has a B; leave it out, or "
             "set adapter.method: lora");
  std::vector<Rates> list;
  for (const Parameter& parameter : parameters) {
    Rates rates{.weight_decay = parameter.decay ? options.weight_decay : 0.0};
    if (options.loraplus_lr_ratio &&
        (is_second_factor(parameter) || whole_shape(parameter).size() == 1))
      rates.learning_rate_ratio = *options.loraplus_lr_ratio;
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return std::regex_search(parameter.name, g.pattern);
    });
    if (group != groups.end()) {
      group->used = true;
      if (group->options->learning_rate)
        rates.learning_rate_ratio = *group->options->learning_rate / options.learning_rate;
      rates.weight_decay = group->options->weight_decay.value_or(rates.weight_decay);
    }
    list.push_back(rates);
  }
  check_used(groups, parameters);
  return list;
}

}  // namespace hone::optim
