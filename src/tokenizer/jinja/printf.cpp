#include <fmt/printf.h>

#include <algorithm>
#include <cmath>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

/// What stands between % and the letter.
struct Directive {
  bool left = false, plus = false, space = false, alternate = false, zero = false;
  std::int64_t width = 0, precision = -1;
  std::string key;  ///< of %(key)s
  bool has_key = false;
  char letter = 0;
};

class Printer {
 public:
  Printer(const Text& format, const Value& values) : format_(format), values_(values) {
    if (values.is_tuple()) items_ = *values.as_list();
    if (!values.is_tuple()) items_ = {values};
  }

  Text run() {
    const std::string_view bytes = format_.str();
    while (at_ < bytes.size()) {
      const std::size_t percent = std::min(bytes.find('%', at_), bytes.size());
      out_.append(format_.slice(at_, percent));
      at_ = percent;
      if (at_ == bytes.size()) break;
      const Origin origin = format_.origin_at(at_++);
      print(read_directive(), origin);
    }
    const bool is_mapping = values_.as_dict() != nullptr;
    if (used_ < items_.size() && !is_mapping)
      throw TemplateFault("TypeError", "not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  char next() {
    if (at_ >= format_.size()) throw TemplateFault("ValueError", "incomplete format");
    return format_.str()[at_++];
  }

  const Value& take() {
    if (used_ >= items_.size())
      throw TemplateFault("TypeError", "not enough arguments for format string");
    return items_[used_++];
  }

  /// A number, or * for the next value.
  std::int64_t read_size(char& c) {
    if (c == '*') {
      c = next();
      return checked(require_integer(take(), "* in a format"));
    }
    std::int64_t size = 0;
    for (; c >= '0' && c <= '9'; c = next()) size = checked(size * 10 + (c - '0'));
    return size;
  }
  static std::int64_t checked(std::int64_t size) {
    if (std::abs(size) > 10'000) throw TemplateFault("OverflowError", "a format of that width");
    return size;
  }

  Directive read_directive() {
    Directive d;
    char c = next();
    if (c == '(') {
      d.has_key = true;
      while ((c = next()) != ')') d.key += c;
      c = next();
    }
    for (;; c = next()) {
      if (c == '-')
        d.left = true;
      else if (c == '+')
        d.plus = true;
      else if (c == ' ')
        d.space = true;
      else if (c == '#')
        d.alternate = true;
      else if (c == '0')
        d.zero = true;
      else
        break;
    }
    d.width = read_size(c);
    if (d.width < 0) d.left = true, d.width = -d.width;
    if (c == '.') {
      c = next();
      d.precision = std::max<std::int64_t>(read_size(c), 0);
    }
    d.letter = c;
    return d;
  }

  const Value& value_of(const Directive& d) {
    if (!d.has_key) return take();
    const Dict* dict = values_.as_dict();
    if (!dict) throw TemplateFault("TypeError", "format requires a mapping");
    const Value* value = find_key(*dict, Value(Text(d.key)));
    if (!value) throw TemplateFault("KeyError", d.key);
    return *value;
  }

  void print(const Directive& d, Origin origin) {
    if (d.letter == '%') {
      out_.append("%", origin);
      return;
    }
    const Value value = value_of(d);
    if (d.letter == 's' || d.letter == 'r') {
      Text text = d.letter == 's' ? to_text(value) : to_repr(value);
      if (d.precision >= 0) text = *get_slice(Value(text), {}, d.precision, {}).as<Text>();
      return pad(d, text, "", origin);
    }
    print_number(d, value, origin);
  }

  void print_number(const Directive& d, const Value& value, Origin origin) {
    require_defined(value);
    if (!value.is_number())
      throw TemplateFault("TypeError", fmt::format("%{} format: a real number is required, not {}",
                                                   d.letter, value.type_name()));
    std::string digits;
    bool negative = false;
    if (std::string_view("diu").find(d.letter) != std::string_view::npos) {
      const double real = require_number(value, "%d");
      const std::int64_t whole =
          value.as<double>() ? static_cast<std::int64_t>(real) : require_integer(value, "%d");
      negative = whole < 0;
      digits = std::to_string(whole).substr(negative ? 1 : 0);
      if (d.precision > std::ssize(digits))
        digits.insert(0, static_cast<std::size_t>(d.precision) - digits.size(), '0');
    } else if (std::string_view("xXo").find(d.letter) != std::string_view::npos) {
      const std::int64_t whole = require_integer(value, "%x");
      negative = whole < 0;
      digits = fmt::sprintf(std::string("%") + d.letter, std::abs(whole));
      if (d.alternate) digits.insert(0, d.letter == 'o' ? "0o" : d.letter == 'x' ? "0x" : "0X");
    } else if (std::string_view("eEfFgG").find(d.letter) != std::string_view::npos) {
      const double real = require_number(value, "%f");
      negative = std::signbit(real);
      digits = fmt::sprintf(std::string("%") + (d.alternate ? "#" : "") + ".*" + d.letter,
                            static_cast<int>(d.precision < 0 ? 6 : d.precision), std::abs(real));
    } else {
      throw TemplateFault("ValueError", fmt::format("unsupported format character '{}'", d.letter));
    }
    const char* sign = negative ? "-" : d.plus ? "+" : d.space ? " " : "";
    pad(d, Text(digits, value.origin()), sign, value.origin());
  }

  /// With zeros between sign and digits, or blanks outside both.
  void pad(const Directive& d, const Text& text, std::string_view sign, Origin origin) {
    const auto size = static_cast<std::int64_t>(length(Value(text)) + sign.size());
    const std::string fill(static_cast<std::size_t>(std::max<std::int64_t>(d.width - size, 0)),
                           d.zero && !d.left && d.letter != 's' && d.letter != 'r' ? '0' : ' ');
    const bool is_zeros = !fill.empty() && fill[0] == '0';
    if (!d.left && !is_zeros) out_.append(fill, origin);
    out_.append(sign, origin);
    if (is_zeros) out_.append(fill, origin);
    out_.append(text);
    if (d.left) out_.append(fill, origin);
  }

  const Text& format_;
  const Value& values_;
  List items_;
  std::size_t at_ = 0, used_ = 0;
  Text out_;
};

}  // namespace

Text print_format(const Text& format, const Value& values) { return Printer(format, values).run(); }

}  // namespace hone::tokenizer::jinja
