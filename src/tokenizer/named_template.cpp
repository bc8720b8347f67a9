#include "tokenizer/named_template.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

// constexpr std::string_view k_chatml = R"JINJA(…)JINJA"; and so on, made by CMake.
#include "named_template_sources.inc"

const std::vector<NamedTemplate>& table() {
  static const std::vector<NamedTemplate> templates{
      {"chatml", k_chatml, {"<|im_start|>", "<|im_end|>"}, {"<|im_end|>"}},
      {"llama2", k_llama2, {"bos_token", "eos_token"}, {"eos_token"}},
      {"llama3",
       k_llama3,
       {"bos_token", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
       {"<|eot_id|>"}},
      {"mistral", k_mistral, {"bos_token", "eos_token", "[INST]", "[/INST]"}, {"eos_token"}},
      {"gemma", k_gemma, {"bos_token", "<start_of_turn>", "<end_of_turn>"}, {"<end_of_turn>"}},
      {"phi3", k_phi3, {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"}, {"<|end|>"}},
      {"zephyr", k_zephyr, {"eos_token"}, {"eos_token"}},
      {"qwen", k_qwen, {"<|im_start|>", "<|im_end|>"}, {"<|im_end|>"}},
      {"deepseek",
       k_deepseek,
       {"bos_token", "eos_token", "<｜User｜>", "<｜Assistant｜>"},
       {"eos_token"}},
      {"command-r",
       k_command_r,
       {"bos_token", "<|START_OF_TURN_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>",
        "<|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"},
       {"<|END_OF_TURN_TOKEN|>"}},
      {"alpaca", k_alpaca, {"eos_token"}, {"eos_token"}},
      {"vicuna", k_vicuna, {"bos_token", "eos_token"}, {"eos_token"}},
      {"plain", k_plain, {"eos_token"}, {"eos_token"}},
  };
  return templates;
}

/// The spelling of a token of the table; "" where the tokenizer has no such token of its own.
std::string spelling(const std::string& token, const Tokenizer& tokenizer) {
  if (token != "bos_token" && token != "eos_token") return token;
  const auto& names = tokenizer.special().names;
  const auto own = names.find(token);
  return own == names.end() ? "" : own->second;
}

bool is_special(const std::string& token, const Tokenizer& tokenizer) {
  const auto id = tokenizer.token_to_id(token);
  return id && tokenizer.is_special(*id);
}

}  // namespace

std::span<const NamedTemplate> named_templates() { return table(); }

const NamedTemplate* find_named_template(std::string_view name) {
  const auto found = std::find_if(table().begin(), table().end(),
                                  [&](const NamedTemplate& named) { return named.name == name; });
  return found == table().end() ? nullptr : &*found;
}

std::vector<std::string> missing_tokens(const NamedTemplate& named, const Tokenizer& tokenizer) {
  std::vector<std::string> missing;
  for (const std::string& token : named.tokens)
    if (!is_special(spelling(token, tokenizer), tokenizer)) missing.push_back(token);
  return missing;
}

std::vector<std::int32_t> stop_ids(const NamedTemplate& named, const Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids;
  for (const std::string& token : named.stops)
    if (const auto text = spelling(token, tokenizer); is_special(text, tokenizer))
      ids.push_back(*tokenizer.token_to_id(text));
  return ids;
}

std::string template_names() {
  std::vector<std::string_view> names;
  for (const NamedTemplate& named : table()) names.push_back(named.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string offer_templates(const Tokenizer& tokenizer) {
  std::vector<std::string_view> fitting;
  for (const NamedTemplate& named : table())
    if (missing_tokens(named, tokenizer).empty()) fitting.push_back(named.name);
  return fmt::format(
      "say with data.template which one to train with: {} ({}), or a Jinja file", template_names(),
      fitting.empty()
          ? "the tokenizer has the special tokens of none of them"
          : fmt::format("the tokenizer has the special tokens of {}", fmt::join(fitting, ", ")));
}

}  // namespace hone::tokenizer
