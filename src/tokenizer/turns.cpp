#include "tokenizer/turns.h"

#include <algorithm>
#include <optional>

#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

/// From each message's first own character to its last, roles left out.
std::vector<std::optional<TextRange>> own_ranges(const Rendered& rendered, std::size_t messages) {
  std::vector<std::optional<TextRange>> ranges(messages);
  for (const Span& span : rendered.spans) {
    if (span.message < 0 || span.field == "role") continue;
    auto& range = ranges[static_cast<std::size_t>(span.message)];
    if (!range) range = TextRange{span.begin, span.end};
    range->end = span.end;
  }
  return ranges;
}

/// The first byte at or after `position` that is not the template's own.
std::size_t template_end(const Rendered& rendered, std::size_t position) {
  auto span = std::partition_point(rendered.spans.begin(), rendered.spans.end(),
                                   [&](const Span& s) { return s.end <= position; });
  while (span != rendered.spans.end() && span->is_template()) ++span;
  return span == rendered.spans.end() ? rendered.text.size() : std::max(span->begin, position);
}

/// The longest of `tokens` that stands at `position`; 0 where there is none.
std::size_t token_at(std::string_view text, std::size_t position,
                     const std::vector<std::string>& tokens) {
  std::size_t longest = 0;
  for (const std::string& token : tokens)
    if (text.substr(position).starts_with(token)) longest = std::max(longest, token.size());
  return longest;
}

/// Where the leftmost of `tokens` in `text` begins at or after `position`.
std::size_t first_token(std::string_view text, std::size_t position,
                        const std::vector<std::string>& tokens) {
  std::size_t first = std::string_view::npos;
  for (const std::string& token : tokens)
    if (!token.empty()) first = std::min(first, text.find(token, position));
  return first;
}

/// The end of the stop in [begin, end).
/// @param is_known `end` is where the turn ends, so every token before it is the turn's
std::optional<std::size_t> find_stop(std::string_view text, std::size_t begin, std::size_t end,
                                     bool is_known, const StopTokens& stops) {
  const std::string_view stretch = text.substr(0, end);
  std::size_t at = first_token(stretch, begin, stops.special);
  if (at == std::string_view::npos) return std::nullopt;
  while (true) {
    const std::size_t size = token_at(stretch, at, stops.special);
    if (size == 0) return at;
    const std::string_view token = stretch.substr(at, size);
    at += size;
    if (!is_known || std::find(stops.eos.begin(), stops.eos.end(), token) != stops.eos.end())
      return at;
  }
}

bool is_assistant(const OrderedJson& message) { return message["role"] == "assistant"; }

/// For each wanted message the prompt before it, where it is an assistant's, and the text up to it.
std::vector<Beginning> beginnings_of(const OrderedJson& messages,
                                     std::span<const std::size_t> wanted) {
  std::vector<Beginning> beginnings;
  for (const std::size_t i : wanted) {
    if (is_assistant(messages[i])) beginnings.push_back({i, true});
    beginnings.push_back({i + 1, false});
  }
  return beginnings;
}

}  // namespace

StopTokens make_stop_tokens(const Tokenizer& tokenizer, std::span<const std::int32_t> stop_ids) {
  StopTokens stops{tokenizer.special_token_texts(), {}};
  for (const std::int32_t id : stop_ids)
    if (const auto text = tokenizer.id_to_token(id)) stops.eos.emplace_back(*text);
  return stops;
}

std::vector<Turn> find_turns(const ChatTemplate& chat_template, const OrderedJson& messages,
                             const RenderOptions& options, const Rendered& rendered,
                             const StopTokens& stops, std::span<const std::size_t> wanted) {
  const auto owns = own_ranges(rendered, messages.size());
  const std::vector<BeginningRendered> alone =
      chat_template.render_beginnings(messages, options, rendered, beginnings_of(messages, wanted));
  auto beginning = alone.begin();
  std::vector<Turn> turns;
  for (const std::size_t i : wanted) {
    const std::optional<TextRange>& own = owns[i];
    Turn turn{.message = i,
              .begin = own ? own->begin : 0,
              .end = 0,
              .has_stop = false,
              .prefix_ok = true};
    if (is_assistant(messages[i])) {
      const BeginningRendered& prompt = *beginning++;
      turn.prefix_ok =
          !prompt.is_refused && prompt.is_prefix && (!own || prompt.shared <= own->end);
      if (turn.prefix_ok) turn.begin = prompt.shared;
    }
    const BeginningRendered& upto = *beginning++;
    if (!own && !(is_assistant(messages[i]) && turn.prefix_ok)) continue;  // nothing is printed
    turn.end = own ? std::max(own->end, turn.begin) : turn.begin;

    // The next message's header may begin with a special token as well. What the rendering up to
    // this message shares with the whole text still belongs to this message.
    std::size_t limit = template_end(rendered, turn.end);
    if (!upto.is_refused) limit = std::min(limit, upto.shared);
    const bool is_known = !upto.is_refused && upto.is_prefix;
    if (const auto stop = find_stop(rendered.text, turn.end, limit, is_known, stops)) {
      turn.end = *stop;
      turn.has_stop = true;
    }
    turns.push_back(turn);
  }
  return turns;
}

std::vector<Turn> find_assistant_turns(const ChatTemplate& chat_template,
                                       const OrderedJson& messages, const RenderOptions& options,
                                       const Rendered& rendered, const StopTokens& stops) {
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (is_assistant(messages[i])) wanted.push_back(i);
  return find_turns(chat_template, messages, options, rendered, stops, wanted);
}

}  // namespace hone::tokenizer
