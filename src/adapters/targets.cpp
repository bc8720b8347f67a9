#include "adapters/targets.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "adapters/experts.h"
#include "adapters/pattern.h"
#include "config/problems.h"

namespace hone::adapters {
namespace {

constexpr const char* kAllLinear = "all-linear";

std::string last_name(const std::string& module) { return module.substr(module.rfind('.') + 1); }

std::vector<std::string> distinct_last_names(const std::vector<Site>& sites) {
  std::vector<std::string> names;
  for (const Site& site : sites)
    if (const std::string name = last_name(site.name);
        std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  return names;
}

/// What a text of target_modules and its like says of a module.
class Matcher {
 public:
  /// @param alone the text stands alone, so that it may be a regular expression
  Matcher(std::string text, bool alone) : text_(std::move(text)) {
    if (alone && is_pattern(text_)) pattern_.emplace(text_);
  }
  bool operator()(const Site& site) const {
    return pattern_ ? pattern_->matches(site.name) : is_suffix(text_, site.name);
  }
  bool is_regex() const { return pattern_.has_value(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::optional<Pattern> pattern_;
};

std::vector<Matcher> matchers_of(const Settings& settings, const char* key) {
  std::vector<Matcher> matchers;
  const std::vector<std::string> texts = settings.texts(key);
  for (const std::string& text : texts) matchers.emplace_back(text, texts.size() == 1);
  return matchers;
}

bool any(const std::vector<Matcher>& matchers, const Site& site) {
  return std::any_of(matchers.begin(), matchers.end(),
                     [&](const Matcher& matches) { return matches(site); });
}

/// Every text has to say something of the model: one that does not is a slip.
void check_used(const Settings& settings, const char* key, const std::vector<Matcher>& matchers,
                const std::vector<Site>& sites) {
  for (const Matcher& matcher : matchers) {
    if (std::any_of(sites.begin(), sites.end(), matcher)) continue;
    const std::vector<std::string> names = distinct_last_names(sites);
    throw ConfigError(fmt::format(
        "{}: {}: `{}` {} of this model{}. There are: {}", settings.where(), key, matcher.text(),
        matcher.is_regex() ? "is a regular expression that matches the whole name of no module"
                           : "names no module",
        config::did_you_mean(last_name(matcher.text()), names), fmt::join(names, ", ")));
  }
}

/// The number of a module's layer; −1 where it is in none.
std::int64_t layer_of(const Settings& settings, const std::string& module) {
  std::vector<std::string> lists = settings.texts("layers_pattern");
  if (lists.empty()) lists = {"[^.]*"};
  std::smatch match;
  for (const std::string& list : lists)
    if (std::regex_search(module, match, std::regex("(?:^|\\.)" + list + "\\.(\\d+)\\.")))
      return std::stoll(match[1]);
  return -1;
}

bool is_chosen_layer(const Settings& settings, const std::vector<std::int64_t>& layers,
                     const Site& site) {
  if (layers.empty()) return true;
  return std::count(layers.begin(), layers.end(), layer_of(settings, site.name)) > 0;
}

void check_layers(const Settings& settings, const std::vector<std::int64_t>& layers,
                  const std::vector<Site>& sites) {
  if (layers.empty()) {
    HONE_CHECK(ConfigError, !settings.says("layers_pattern"),
               "{}: layers_pattern says how layers are numbered; without layers_to_transform it "
               "has no effect",
               settings.where());
    return;
  }
  std::set<std::int64_t> there;
  for (const Site& site : sites) there.insert(layer_of(settings, site.name));
  there.erase(-1);
  HONE_CHECK(ConfigError, !there.empty(),
             "{}: layers_pattern: `{}` is the name of no list of layers; here it is `layers`",
             settings.where(), fmt::join(settings.texts("layers_pattern"), ", "));
  for (const std::int64_t layer : layers)
    HONE_CHECK(ConfigError, there.count(layer) > 0,
               "{}: layers_to_transform: there is no layer {}; this model's are {} to {}",
               settings.where(), layer, *there.begin(), *there.rbegin());
}

/// What target_modules reaches, before anything is taken away.
std::vector<Site> reached(const Method& method, const Settings& settings,
                          const std::vector<Site>& sites) {
  const auto& value = settings.values().at("target_modules");
  std::vector<Site> result;
  if (!settings.says("target_modules") && settings.says(kTargetParameters)) return result;
  if (value == kAllLinear || value == nlohmann::json{kAllLinear}) {
    const bool norms = method.kinds == std::vector{SiteKind::kNorm};
    for (const Site& site : sites)
      if (site.kind == (norms ? SiteKind::kNorm : SiteKind::kLinear) &&
          !(settings.says(kTargetParameters) && is_of_expert(site)))
        result.push_back(site);
    return result;
  }
  const std::vector<Matcher> matchers = matchers_of(settings, "target_modules");
  HONE_CHECK(ConfigError, !matchers.empty(), "{}: target_modules is empty", settings.where());
  check_used(settings, "target_modules", matchers, sites);
  for (const Site& site : sites) {
    if (!any(matchers, site)) continue;
    HONE_CHECK(ConfigError,
               site.kind != SiteKind::kHead || !matchers.front().is_regex() ||
                   matchers.front().text().find(site.name) != std::string::npos,
               "{}: target_modules: `{}` reaches the head {} too, without naming it; a pattern for "
               "the layers only is `.*layers\\..*`, and `{}` in the pattern says that the head is "
               "meant",
               settings.where(), matchers.front().text(), site.name, site.name);
    result.push_back(site);
  }
  return result;
}

}  // namespace

std::string last_names(const std::vector<Site>& sites) {
  return fmt::format("{}", fmt::join(distinct_last_names(sites), ", "));
}

std::vector<Site> sites_to_save(const Settings& settings, const std::vector<Site>& sites) {
  const std::vector<Matcher> matchers = matchers_of(settings, "modules_to_save");
  check_used(settings, "modules_to_save", matchers, sites);
  std::vector<Site> result;
  for (const Site& site : sites)
    if (any(matchers, site)) result.push_back(site);
  return result;
}

std::vector<Site> choose_sites(const Method& method, const Settings& settings,
                               const std::vector<Site>& all) {
  if (method.kinds.empty()) return {};
  std::vector<Site> sites;  // those that the method can sit on
  for (const Site& site : all)
    if (std::count(method.kinds.begin(), method.kinds.end(), site.kind) > 0) sites.push_back(site);
  const std::vector<Matcher> excluded = matchers_of(settings, "exclude_modules");
  const std::vector<Matcher> saved = matchers_of(settings, "modules_to_save");
  const std::vector<std::int64_t> layers = settings.integers("layers_to_transform");
  check_used(settings, "exclude_modules", excluded, all);
  check_layers(settings, layers, sites);
  std::vector<Site> chosen;
  for (const Site& site : reached(method, settings, sites))
    if (!any(excluded, site) && !any(saved, site) && is_chosen_layer(settings, layers, site))
      chosen.push_back(site);
  for (const Site& site : chosen)
    HONE_CHECK(ConfigError, !settings.says(kTargetParameters) || !is_of_expert(site),
               "{}: target_modules reaches {}, a layer of one expert, and {} the experts' stacked "
               "weights; adapt them in one of the two ways",
               settings.where(), site.name, kTargetParameters);
  HONE_CHECK(ConfigError, !chosen.empty() || settings.says(kTargetParameters),
             "{}: target_modules less exclude_modules, modules_to_save and layers_to_transform "
             "leaves no module; there are: {}",
             settings.where(), last_names(sites));
  return chosen;
}

std::vector<std::string> name_targets(const std::vector<Site>& chosen,
                                      const std::vector<Site>& all) {
  std::map<std::string, std::int64_t> not_adapted;
  for (const Site& site : all) ++not_adapted[last_name(site.name)];
  for (const Site& site : chosen) --not_adapted[last_name(site.name)];
  std::set<std::string> names;
  for (const Site& site : chosen) {
    const std::string last = last_name(site.name);
    names.insert(not_adapted[last] == 0 ? last : site.name);
  }
  return {names.begin(), names.end()};
}

}  // namespace hone::adapters
