#include "tokenizer/chat_template.h"

#include <algorithm>

#include "base/error.h"
#include "tokenizer/chat_input.h"
#include "tokenizer/jinja/interpreter.h"

namespace hone::tokenizer {
namespace {

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm result{};
  localtime_r(&now, &result);
  return result;
}

std::map<std::string, jinja::Value> make_variables(ChatInput& input, const OrderedJson& messages,
                                                   const RenderOptions& options) {
  std::map<std::string, jinja::Value> variables;
  variables["messages"] = input.add_messages(messages);
  variables["tools"] = input.add_value(options.tools, "tools");
  variables["documents"] = input.add_value(options.documents, "documents");
  variables["add_generation_prompt"] = options.add_generation_prompt;
  for (const auto& [name, value] : options.variables.items()) {
    const bool is_token = name.ends_with("_token") && value.is_string();
    variables[name] = is_token ? jinja::Value(jinja::Text(value.get_ref<const std::string&>()))
                               : input.add_value(value, name);
  }
  return variables;
}

std::vector<Span> make_spans(const jinja::Text& text, const ChatInput& input) {
  std::vector<Span> spans;
  std::size_t begin = 0;
  for (const jinja::Text::Run& run : text.runs()) {
    const ChatInput::Source& source = input.source(run.origin);
    spans.push_back({begin, run.end, source.message, source.field});
    begin = run.end;
  }
  return spans;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

BeginningRendered compare(std::string_view text, std::size_t shared, std::string_view rest) {
  const std::size_t more = common_prefix(text.substr(shared), rest);
  return {false, shared + more, more == rest.size()};
}

jinja::PrefixWatch make_watch(const jinja::Value& messages,
                              const std::vector<Beginning>& beginnings) {
  jinja::PrefixWatch watch{.messages = messages, .places = {}, .wanted = {}};
  const jinja::List& items = *messages.as_list();
  for (std::size_t i = 0; i < items.size(); ++i) watch.places.emplace(items[i].origin(), i);
  for (const Beginning& beginning : beginnings)
    watch.wanted.push_back({beginning.count, beginning.add_generation_prompt});
  return watch;
}

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

}  // namespace

struct ChatTemplate::Parsed {
  explicit Parsed(std::string text) : source(std::move(text)), program(source) {}
  std::string source;
  jinja::Program program;
};

ChatTemplate::ChatTemplate(std::string source)
    : parsed_(std::make_shared<const Parsed>(std::move(source))) {}

bool ChatTemplate::renders_beginnings_at_once() const { return parsed_->program.has_main_loop(); }

const std::string& ChatTemplate::source() const { return parsed_->source; }

Rendered ChatTemplate::render(const OrderedJson& messages, const RenderOptions& options) const {
  HONE_CHECK(DataError, options.variables.is_object(),
             "variables of a chat template: expected an object, found {}",
             options.variables.type_name());
  ChatInput input;
  const auto variables = make_variables(input, messages, options);
  const jinja::Program::Output output =
      parsed_->program.render(variables, options.now ? *options.now : local_time());
  return {std::string(output.text.str()), make_spans(output.text, input), output.generated};
}

std::vector<BeginningRendered> ChatTemplate::render_beginnings(
    const OrderedJson& messages, const RenderOptions& options, const Rendered& rendered,
    const std::vector<Beginning>& beginnings) const {
  ChatInput input;
  const auto variables = make_variables(input, messages, options);
  jinja::PrefixWatch watch = make_watch(variables.at("messages"), beginnings);
  if (renders_beginnings_at_once())
    parsed_->program.render(variables, options.now ? *options.now : local_time(), &watch);

  std::vector<BeginningRendered> results;
  auto found = watch.found.begin();  // in the order in which they were wanted, some left out
  for (std::size_t i = 0; i < beginnings.size(); ++i) {
    if (found != watch.found.end() && found->wanted == watch.wanted[i]) {
      results.push_back(found->rest ? compare(rendered.text, found->shared, found->rest->str())
                                    : BeginningRendered{true, 0, false});
      ++found;
    } else {
      results.push_back(render_beginning(messages, options, rendered, beginnings[i]));
    }
  }
  return results;
}

BeginningRendered ChatTemplate::render_beginning(const OrderedJson& messages, RenderOptions options,
                                                 const Rendered& rendered,
                                                 const Beginning& beginning) const {
  options.add_generation_prompt = beginning.add_generation_prompt;
  const auto end = messages.begin() + static_cast<std::ptrdiff_t>(beginning.count);
  try {
    const Rendered alone =
        render(OrderedJson(OrderedJson::array_t(messages.begin(), end)), options);
    return compare(rendered.text, 0, alone.text);
  } catch (const DataError&) {
    return {true, 0, false};
  }
}

std::vector<TextRange> literal_ranges(const Rendered& rendered) {
  std::vector<TextRange> ranges;
  for (const Span& span : rendered.spans) {
    const std::string_view text =
        std::string_view(rendered.text).substr(span.begin, span.end - span.begin);
    const bool is_role = span.message >= 0 && span.field == "role";
    if (span.is_template() || (is_role && is_plain_word(text))) continue;
    if (!ranges.empty() && ranges.back().end == span.begin) {
      ranges.back().end = span.end;
    } else {
      ranges.push_back({span.begin, span.end});
    }
  }
  return ranges;
}

}  // namespace hone::tokenizer
