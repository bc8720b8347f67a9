#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::tokenizer {

/// Keys keep their order: it is the order in which a template prints them.
using OrderedJson = nlohmann::ordered_json;

struct RenderOptions {
  bool add_generation_prompt = false;
  OrderedJson tools = {};      ///< an array, or null
  OrderedJson documents = {};  ///< an array, or null
  /// More variables by name. Those called …_token are the tokenizer's special tokens
  /// (Tokenizer::special().names) and count as template text; all others are input.
  OrderedJson variables = OrderedJson::object();
  /// What strftime_now sees; the local time where empty.
  std::optional<std::tm> now = {};
};

/// A stretch of rendered text and where it came from.
struct Span {
  std::size_t begin, end;  ///< bytes of the text
  int message;             ///< index into the messages; -1 where it is of none
  /// Below the message: "content", "tool_calls/0/function/name", or "" for its own brackets where a
  /// template prints it whole. Outside messages: "tools/0/function/name", "documents/1/text", the
  /// name of a variable; "" for the template's own text.
  std::string field;

  bool is_template() const { return message < 0 && field.empty(); }
};

struct Rendered {
  std::string text;
  std::vector<Span> spans;            ///< in order, without gaps, over the whole text
  std::vector<TextRange> generation;  ///< what {% generation %} blocks made
};

/// A beginning of a conversation that is to be rendered by itself.
struct Beginning {
  std::size_t count;  ///< messages, from the first
  bool add_generation_prompt;
};

/// Its rendering, beside that of the whole conversation.
struct BeginningRendered {
  bool is_refused;     ///< the template does not take these messages alone
  std::size_t shared;  ///< bytes at its start that the whole text starts with as well
  bool is_prefix;      ///< there is nothing behind them
};

/// A chat template, parsed once, rendered as transformers' apply_chat_template does, with the
/// origin of every character. Copies are cheap; rendering is safe from many threads at once.
///
/// Provenance is exact by construction: hone evaluates the template on strings that carry the
/// origin of each byte through every operation (tokenizer/jinja/text.h), so that what a template
/// trims, slices, splits, replaces, upper-cases or prints as JSON keeps its origin. Numbers, true,
/// false and null, and the brackets and keys of lists and objects from the input, carry theirs as
/// well.
class ChatTemplate {
 public:
  /// @throws DataError with line and reason when the source is no template
  explicit ChatTemplate(std::string source);

  /// @param messages an array of objects with a "role"
  /// @throws DataError when the template refuses the conversation (raise_exception) or would use
  ///   something undefined or None as text, with the line and the error that Python would give
  Rendered render(const OrderedJson& messages, const RenderOptions& options = {}) const;

  /// Renders beginnings of a conversation: in one pass over it where the template's syntax proves
  /// that to be the same (jinja/main_loop.h), else each by itself.
  /// @param rendered   what render made of all of `messages` with `options`
  /// @param beginnings ascending by count, none above messages.size()
  /// @return one for each
  std::vector<BeginningRendered> render_beginnings(const OrderedJson& messages,
                                                   const RenderOptions& options,
                                                   const Rendered& rendered,
                                                   const std::vector<Beginning>& beginnings) const;

  /// Whether render_beginnings needs one pass alone, but for the first message.
  bool renders_beginnings_at_once() const;

  const std::string& source() const;

 private:
  BeginningRendered render_beginning(const OrderedJson& messages, RenderOptions options,
                                     const Rendered& rendered, const Beginning& beginning) const;

  struct Parsed;
  std::shared_ptr<const Parsed> parsed_;
};

/// The byte ranges of rendered text in which no special token may be recognised: everything from
/// the input, except roles that are plain words ([A-Za-z0-9_-]+), of which templates build tokens
/// such as
/// <|user|>. Give it to EncodeOptions::literal.
std::vector<TextRange> literal_ranges(const Rendered& rendered);

}  // namespace hone::tokenizer
