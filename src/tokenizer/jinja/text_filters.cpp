#include "tokenizer/jinja/text_filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

std::int64_t integer_or(const Value& value, std::int64_t otherwise, const char* use) {
  return value.is_undefined() ? otherwise : require_integer(value, use);
}

Text cut(const Text& text, std::int64_t begin, std::int64_t end) {
  return *get_slice(Value(text), begin, end, {}).as<Text>();
}

Value truncate_filter(const Value& value, const Arguments& arguments) {
  const Text text = to_text(value);
  const std::int64_t size = integer_or(arguments.get(0, "length"), 255, "truncate");
  const Text end = arguments.has(2, "end") ? to_text(arguments.get(2, "end")) : Text("...");
  const std::int64_t leeway = integer_or(arguments.get(3, "leeway"), 5, "truncate");
  const auto end_size = static_cast<std::int64_t>(length(Value(end)));
  if (size < end_size || leeway < 0)
    throw TemplateFault("AssertionError", "truncate: the length is below that of the end");
  if (static_cast<std::int64_t>(length(Value(text))) <= size + leeway) return text;
  Text kept = cut(text, 0, size - end_size);
  if (!truth(arguments.get(1, "killwords"))) kept = split(kept, " ", 1, true).front();
  return kept.append(end);
}

Value center_filter(const Value& value, const Arguments& arguments) {
  Arguments width;
  width.positional = {integer_or(arguments.get(0, "width"), 80, "center")};
  const Value method = find_method(Value(to_text(value)), "center");
  return (*method.as<std::shared_ptr<const Function>>())->call(width);
}

/// As Python's urllib quotes, with / kept.
void quote(const Text& text, bool keeps_slash, Text& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text.str()[i];
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '~' ||
                          (keeps_slash && c == '/');
    out.append(is_plain
                   ? std::string(1, c)
                   : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c))),
               text.origin_at(i));
  }
}

Value urlencode_filter(const Value& value, const Arguments&) {
  Text out;
  List pairs;
  if (const auto* dict = value.as_dict()) {
    for (const auto& [key, item] : *dict) pairs.push_back(Value::tuple({key, item}));
  } else if (value.as_list()) {
    pairs = *value.as_list();
  } else {
    quote(to_text(value), true, out);
    return out;
  }
  for (const Value& pair : pairs) {
    const List items = iterate(pair);
    if (items.size() != 2) throw TemplateFault("ValueError", "urlencode takes pairs");
    if (!out.empty()) out.append("&", out.main_origin());
    quote(to_text(items[0]), false, out);
    out.append("=", items[1].origin());
    quote(to_text(items[1]), false, out);
  }
  return out;
}

Value filesizeformat_filter(const Value& value, const Arguments& arguments) {
  const double bytes = require_number(value, "filesizeformat");
  const bool binary = truth(arguments.get(0, "binary"));
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return Text("1 Byte", value.origin());
  if (bytes < base) return Text(fmt::format("{:.0f} Bytes", std::trunc(bytes)), value.origin());
  double unit = base;
  std::size_t i = 0;
  constexpr std::string_view kUnits = "kMGTPEZY";
  while (i + 1 < kUnits.size() && bytes >= unit * base) unit *= base, ++i;
  const char letter = binary && i == 0 ? 'K' : kUnits[i];
  return Text(fmt::format("{:.1f} {}{}", bytes / unit, letter, binary ? "iB" : "B"),
              value.origin());
}

Value format_filter(const Value& value, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty())
    throw TemplateFault("FilterArgumentError",
                        "can't handle positional and keyword arguments at the same time");
  if (arguments.named.empty())
    return print_format(to_text(value), Value::tuple(arguments.positional));
  Dict values;
  for (const auto& [name, item] : arguments.named) values.emplace_back(Text(name), item);
  return print_format(to_text(value), Value::dict(std::move(values)));
}

}  // namespace

const std::vector<std::pair<std::string, Value (*)(const Value&, const Arguments&)>>&
text_filters() {
  static const std::vector<std::pair<std::string, Value (*)(const Value&, const Arguments&)>> table{
      {"truncate", truncate_filter},   {"center", center_filter},
      {"urlencode", urlencode_filter}, {"filesizeformat", filesizeformat_filter},
      {"format", format_filter},
  };
  return table;
}

}  // namespace hone::tokenizer::jinja
