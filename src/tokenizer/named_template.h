#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/chat_template.h"

namespace hone::tokenizer {

class Tokenizer;

/// A chat template that hone brings along (templates/NAME.jinja), written from the published
/// format.
struct NamedTemplate {
  std::string_view name;
  std::string_view source;
  /// Special tokens that the format is made of; "bos_token" and "eos_token" stand for the
  /// tokenizer's own.
  std::vector<std::string> tokens;
  /// Those at which a server has to stop; "eos_token" as above.
  std::vector<std::string> stops;
};

std::span<const NamedTemplate> named_templates();

/// nullptr where there is none of that name.
const NamedTemplate* find_named_template(std::string_view name);

/// The tokens of the format that the tokenizer lacks, or has as text like any other.
std::vector<std::string> missing_tokens(const NamedTemplate& named, const Tokenizer& tokenizer);

/// Ids at which a server stops that has been given this template.
std::vector<std::int32_t> stop_ids(const NamedTemplate& named, const Tokenizer& tokenizer);

/// What to do about a missing template: the names, and which of them fit the tokenizer.
std::string offer_templates(const Tokenizer& tokenizer);

/// The names, for messages: "chatml, llama2, ...".
std::string template_names();

}  // namespace hone::tokenizer
