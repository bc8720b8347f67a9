#include <algorithm>
#include <optional>

#include "base/error.h"
#include "tokenizer/chat_template.h"

namespace hone::tokenizer {
namespace {

// The rendering of the first `count` messages; nothing where the template refuses them alone.
std::optional<std::string> render_first(const ChatTemplate& chat_template,
                                        const OrderedJson& messages, std::size_t count,
                                        RenderOptions options, bool add_generation_prompt) {
  options.add_generation_prompt = add_generation_prompt;
  const auto end = messages.begin() + static_cast<std::ptrdiff_t>(count);
  try {
    return chat_template.render(OrderedJson(OrderedJson::array_t(messages.begin(), end)), options)
        .text;
  } catch (const DataError&) {
    return std::nullopt;
  }
}

// From a message's first own character to its last, its role left out.
std::optional<TextRange> own_range(const Rendered& rendered, std::size_t message) {
  std::optional<TextRange> range;
  for (const Span& span : rendered.spans) {
    if (span.message != static_cast<int>(message) || span.field == "role") continue;
    if (!range) range = TextRange{span.begin, span.end};
    range->end = span.end;
  }
  return range;
}

// The first byte at or after `position` that is not the template's own.
std::size_t template_end(const Rendered& rendered, std::size_t position) {
  for (const Span& span : rendered.spans) {
    if (span.end > position && !span.is_template()) return std::max(span.begin, position);
  }
  return rendered.text.size();
}

// The end of the leftmost (of several there, the longest) special token in [begin, end).
std::optional<std::size_t> find_stop(std::string_view text, std::size_t begin, std::size_t end,
                                     const std::vector<std::string>& special_tokens) {
  std::size_t best = std::string_view::npos, best_end = 0;
  const std::string_view stretch = text.substr(0, end);
  for (const std::string& token : special_tokens) {
    if (token.empty()) continue;
    const std::size_t at = stretch.find(token, begin);
    if (at == std::string_view::npos || at > best) continue;
    best_end = at < best ? at + token.size() : std::max(best_end, at + token.size());
    best = at;
  }
  if (best == std::string_view::npos) return std::nullopt;
  return best_end;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

}  // namespace

std::vector<AssistantTurn> find_assistant_turns(const ChatTemplate& chat_template,
                                                const OrderedJson& messages,
                                                const RenderOptions& options,
                                                const Rendered& rendered,
                                                const std::vector<std::string>& special_tokens) {
  std::vector<AssistantTurn> turns;
  const std::string_view text = rendered.text;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i]["role"] != "assistant") continue;
    const std::optional<TextRange> own = own_range(rendered, i);
    const auto prompt = render_first(chat_template, messages, i, options, true);
    AssistantTurn turn{.message = i, .begin = 0, .end = 0, .has_stop = false, .prefix_ok = false};
    turn.prefix_ok = prompt && text.starts_with(*prompt) && (!own || prompt->size() <= own->end);
    if (!turn.prefix_ok && !own) continue;  // the template left the whole message out
    turn.begin = turn.prefix_ok ? prompt->size() : own->begin;
    turn.end = own ? std::max(own->end, turn.begin) : turn.begin;

    // The next message's header may begin with a special token as well. What the rendering up to
    // this message shares with the whole text still belongs to this message.
    std::size_t limit = template_end(rendered, turn.end);
    if (const auto upto = render_first(chat_template, messages, i + 1, options, false)) {
      limit = std::min(limit, common_prefix(*upto, text));
    }
    if (const auto stop = find_stop(text, turn.end, limit, special_tokens)) {
      turn.end = *stop;
      turn.has_stop = true;
    }
    turns.push_back(turn);
  }
  return turns;
}

}  // namespace hone::tokenizer
