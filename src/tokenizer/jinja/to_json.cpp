#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tokenizer/jinja/operators.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {
namespace {

std::string ascii_escape(char32_t c) {
  if (c < 0x10000) return fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  const unsigned high = 0xD800 + ((static_cast<unsigned>(c) - 0x10000) >> 10);
  const unsigned low = 0xDC00 + ((static_cast<unsigned>(c) - 0x10000) & 0x3FF);
  return fmt::format("\\u{:04x}\\u{:04x}", high, low);
}

std::string escape(char32_t c, std::string_view bytes, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      if (c < 0x20 || (ensure_ascii && c >= 0x7F)) return ascii_escape(c);
      return std::string(bytes);
  }
}

class Writer {
 public:
  explicit Writer(const JsonFormat& format) : format_(format) {}

  Text take() { return std::move(out_); }

  void write(const Value& value) {
    if (const auto* text = value.as<Text>()) return write_string(*text);
    if (const auto* list = value.as_list()) return write_list(*list, value.origin());
    if (const auto* dict = value.as_dict()) return write_dict(*dict, value.origin());
    out_.append(scalar(value), value.origin());
  }

 private:
  static std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
    if (const auto* number = value.as<std::int64_t>()) return std::to_string(*number);
    if (const auto* number = value.as<double>()) {
      if (std::isnan(*number)) return "NaN";
      if (std::isinf(*number)) return *number < 0 ? "-Infinity" : "Infinity";
      return float_repr(*number);
    }
    throw TemplateFault(
        "TypeError", fmt::format("Object of type {} is not JSON serializable", value.type_name()));
  }

  void write_string(const Text& text) {
    const Origin origin = text.main_origin();
    out_.append("\"", origin);
    for (std::size_t i = 0; i < text.size();) {
      const CodePoint point = code_point_at(text.str(), i);
      out_.append(escape(point.value, text.str().substr(i, point.size_bytes), format_.ensure_ascii),
                  text.origin_at(i));
      i += point.size_bytes;
    }
    out_.append("\"", origin);
  }

  void break_line(Origin origin) {
    if (format_.indent < 0) return;
    out_.append("\n", origin);
    out_.append(std::string(static_cast<std::size_t>(format_.indent * level_), ' '), origin);
  }

  // Brackets with what `write_item(i)` writes between them.
  template <class WriteItem>
  void write_items(std::string_view brackets, std::size_t count, Origin origin,
                   WriteItem write_item) {
    out_.append(brackets.substr(0, 1), origin);
    ++level_;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out_.append(format_.item_separator, origin);
      break_line(origin);
      write_item(i);
    }
    --level_;
    if (count > 0) break_line(origin);
    out_.append(brackets.substr(1), origin);
  }

  void write_list(const List& list, Origin origin) {
    write_items("[]", list.size(), origin, [&](std::size_t i) { write(list[i]); });
  }

  void write_dict(const Dict& dict, Origin origin) {
    std::vector<const Dict::value_type*> items;
    for (const auto& item : dict) items.push_back(&item);
    if (format_.sort_keys) {
      std::stable_sort(items.begin(), items.end(), [](const auto* a, const auto* b) {
        return compare(a->first, b->first) < 0;
      });
    }
    write_items("{}", items.size(), origin, [&](std::size_t i) {
      const Value& key = items[i]->first;
      write_string(key.is_string() ? *key.as<Text>() : Text(scalar(key), key.origin()));
      out_.append(format_.key_separator, origin);
      write(items[i]->second);
    });
  }

  const JsonFormat& format_;
  Text out_;
  std::int64_t level_ = 0;
};

}  // namespace

Text to_json(const Value& value, const JsonFormat& format) {
  Writer writer(format);
  writer.write(value);
  return writer.take();
}

}  // namespace hone::tokenizer::jinja
