#include "datasets/template_changes.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>

namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kWhiteSpace = " \t\n\r\f\v";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

class Comparison {
 public:
  Comparison(const Json& messages, const tokenizer::Rendered& rendered) : messages_(messages) {
    for (const tokenizer::Span& span : rendered.spans)
      if (span.message >= 0)
        printed_[span.message][span.field] +=
            rendered.text.substr(span.begin, span.end - span.begin);
  }

  std::vector<TemplateChange> run() {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      compare_text(i, "content");
      compare_text(i, "reasoning_content");
      compare_text(i, "thinking");
      compare_tool_calls(i);
    }
    return std::move(changes_);
  }

 private:
  void compare_text(std::size_t i, const std::string& field) {
    const auto value = messages_[i].find(field);
    if (value == messages_[i].end()) return;
    if (value->is_string()) compare(i, field, value->get_ref<const std::string&>());
    if (!value->is_array()) return;
    for (std::size_t k = 0; k < value->size(); ++k)
      compare(i, fmt::format("{}/{}/text", field, k), (*value)[k]["text"].get<std::string>());
  }

  void compare(std::size_t i, const std::string& field, std::string_view given) {
    const std::string_view essence = trimmed(given);
    if (essence.empty()) return;
    const std::string printed = printed_[static_cast<int>(i)][field];
    if (printed.find(given) != std::string::npos) return;
    if (trimmed(printed).empty()) {
      add(TemplateChange::kDropped, i, "{} is not printed", field);
    } else if (printed.find(essence) != std::string::npos) {
      add(TemplateChange::kTrimmed, i, "{} loses white space at its ends", field);
    } else {
      add(TemplateChange::kCut, i, "{} is printed in part or otherwise ({} of {} bytes)", field,
          printed.size(), given.size());
    }
  }

  /// JSON escapes what it writes, so that a call counts as printed where anything of it is.
  void compare_tool_calls(std::size_t i) {
    const auto calls = messages_[i].find("tool_calls");
    if (calls == messages_[i].end() || !calls->is_array()) return;
    const auto& printed = printed_[static_cast<int>(i)];
    for (std::size_t k = 0; k < calls->size(); ++k) {
      const std::string field = fmt::format("tool_calls/{}", k);
      const auto first = printed.lower_bound(field + "/");
      const bool any = printed.count(field) > 0 || printed.count("tool_calls") > 0 ||
                       (first != printed.end() && first->first.starts_with(field + "/"));
      if (!any) add(TemplateChange::kDropped, i, "{} is not printed", field);
    }
  }

  template <class... Args>
  void add(TemplateChange::Kind kind, std::size_t i, fmt::format_string<Args...> format,
           Args&&... args) {
    changes_.push_back({kind, fmt::format("messages[{}] ({}): {}", i,
                                          messages_[i]["role"].get_ref<const std::string&>(),
                                          fmt::format(format, std::forward<Args>(args)...))});
  }

  const Json& messages_;
  std::map<int, std::map<std::string, std::string>> printed_;  // by message and field
  std::vector<TemplateChange> changes_;
};

}  // namespace

std::vector<TemplateChange> find_template_changes(const Json& messages,
                                                  const tokenizer::Rendered& rendered) {
  return Comparison(messages, rendered).run();
}

}  // namespace hone::datasets
