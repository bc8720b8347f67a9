#include "model/rope_options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "model/config_reader.h"

namespace hone::model {

using namespace config;

namespace {

using Keys = std::vector<std::string>;

/// What each type reads beside rope_theta.
const std::map<std::string, Keys>& keys_of_types() {
  static const std::map<std::string, Keys> keys = {
      {"default", {}},
      {"linear", {"factor"}},
      {"dynamic", {"factor"}},
      {"llama3",
       {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"}},
      {"yarn",
       {"factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
        "mscale", "mscale_all_dim", "truncate"}},
      {"longrope",
       {"factor", "original_max_position_embeddings", "attention_factor", "short_factor",
        "long_factor"}}};
  return keys;
}

void check_has_effect(const RopeScalingOptions& options, Problems& problems) {
  for (const Field& field : RopeScalingOptions::table().schema().fields) {
    if (field.key == "rope_type" || !problems.given(field.key)) continue;
    if (!options.rope_type) {
      problems.add(field.key, "has no effect without model.rope_scaling.rope_type");
      continue;
    }
    const Keys& read = keys_of_types().at(*options.rope_type);
    if (field.key != "rope_theta" && std::find(read.begin(), read.end(), field.key) == read.end())
      problems.add(
          field.key,
          fmt::format("is nothing that rope_type {} reads; it reads rope_theta{}{}",
                      *options.rope_type, read.empty() ? "" : ", ", fmt::join(read, ", ")));
  }
}

}  // namespace

nlohmann::json as_config(const RopeScalingOptions& options) {
  const Table<RopeScalingOptions>& table = RopeScalingOptions::table();
  nlohmann::json config = nlohmann::json::object();
  for (std::size_t i = 0; i < table.access().size(); ++i) {
    const std::string& key = table.schema().fields[i].key;
    const Value value = table.access()[i].get(options);
    if (const auto* flag = std::get_if<bool>(&value)) config[key] = *flag;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) config[key] = *whole;
    if (const auto* number = std::get_if<double>(&value)) config[key] = *number;
    if (const auto* text = std::get_if<std::string>(&value)) config[key] = *text;
    const auto* list = std::get_if<std::vector<double>>(&value);
    if (list != nullptr && !list->empty()) config[key] = *list;
  }
  return config;
}

RopeScalingOptions rope_options_from(const nlohmann::json& config, const std::string& where) {
  const Table<RopeScalingOptions>& table = RopeScalingOptions::table();
  const ConfigReader reader(config, where);
  RopeScalingOptions options;
  for (std::size_t i = 0; i < table.access().size(); ++i) {
    const Field& field = table.schema().fields[i];
    const char* key = field.key.c_str();
    if (!reader.has(key)) continue;
    const auto set = [&](Value value) { table.access()[i].set(options, value); };
    if (field.type == Type::kBool) set(reader.get<bool>(key));
    if (field.type == Type::kInteger) set(reader.get<std::int64_t>(key));
    if (field.type == Type::kNumber) set(reader.get<double>(key));
    if (field.type == Type::kString) set(reader.get<std::string>(key));
    if (field.type == Type::kNumbers) set(reader.list<double>(key, config[field.key].size()));
  }
  return options;
}

const Table<RopeScalingOptions>& RopeScalingOptions::table() {
  using O = RopeScalingOptions;
  static const Table<O> table(
      "rope_scaling",
      "Stretches the model's context for longer rows, in the place of the scaling in its "
      "config.json; keys as there. The product has to be served with the same: a saved model's "
      "config.json has it, an adapter's base has to be given it.",
      {field("rope_type", &O::rope_type, std::nullopt,
             choices({"default", "linear", "dynamic", "llama3", "yarn", "longrope"}),
             "How the frequencies of the rotary embedding are stretched. Null: as the model says. "
             "default: not at all."),
       field("factor", &O::factor, std::nullopt, at_least(1),
             "How many times longer the context gets."),
       field("original_max_position_embeddings", &O::original_max_position_embeddings, std::nullopt,
             at_least(2), unit("tokens"),
             "The context that the model was trained on; null: its max_position_embeddings."),
       field("rope_theta", &O::rope_theta, std::nullopt, above(0),
             "Another base of the frequencies; null: the model's own."),
       field("attention_factor", &O::attention_factor, std::nullopt, above(0),
             "yarn, longrope: what cos and sin are multiplied by; null: as the papers say."),
       field("low_freq_factor", &O::low_freq_factor, std::nullopt, above(0),
             "llama3: waves longer than the original context over this are stretched in full."),
       field("high_freq_factor", &O::high_freq_factor, std::nullopt, above(0),
             "llama3: waves shorter than the original context over this stay."),
       field("beta_fast", &O::beta_fast, std::nullopt, above(0),
             "yarn: turns over the original context from which on a frequency stays; null: 32."),
       field("beta_slow", &O::beta_slow, std::nullopt, above(0),
             "yarn: turns up to which a frequency is stretched in full; null: 1."),
       field("mscale", &O::mscale, std::nullopt, above(0), "yarn: weight in the attention factor."),
       field("mscale_all_dim", &O::mscale_all_dim, std::nullopt, above(0),
             "yarn: weight in what the attention factor is divided by."),
       field("truncate", &O::truncate, std::nullopt,
             "yarn: the borders between frequencies are whole dimensions; null: true."),
       field("short_factor", &O::short_factor, {}, above(0),
             "longrope: a divisor of each frequency, for documents within the original context."),
       field("long_factor", &O::long_factor, {}, above(0),
             "longrope: a divisor of each frequency, for longer documents."),
       check<O>("Keys are set only beside a rope_type that reads them.", check_has_effect)});
  return table;
}

}  // namespace hone::model
