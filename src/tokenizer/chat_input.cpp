#include "tokenizer/chat_input.h"

#include "base/error.h"
#include "io/utf8.h"

namespace hone::tokenizer {
namespace {

std::string join_path(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}/{}", path, name);
}

std::string describe(const ChatInput::Source& source) {
  if (source.message < 0) return source.field;
  return fmt::format("messages[{}]{}{}", source.message, source.field.empty() ? "" : "/",
                     source.field);
}

const std::string& require_utf8_text(const OrderedJson& value, const ChatInput::Source& source) {
  const auto& text = value.get_ref<const std::string&>();
  const auto bad = io::first_invalid_utf8(text);
  HONE_CHECK(DataError, !bad, "{}: not UTF-8 at byte {}", describe(source), *bad);
  return text;
}

}  // namespace

jinja::Value ChatInput::convert(const OrderedJson& value, Source source) {
  using jinja::Value;
  const auto origin = static_cast<jinja::Origin>(sources_.size());
  sources_.push_back(source);
  switch (value.type()) {
    case OrderedJson::value_t::string:
      return jinja::Text(require_utf8_text(value, source), origin);
    case OrderedJson::value_t::boolean:
      return Value(value.get<bool>(), origin);
    case OrderedJson::value_t::number_unsigned:
      HONE_CHECK(DataError, value.get<std::uint64_t>() <= INT64_MAX, "{}: {} is beyond 64 bits",
                 describe(source), value.get<std::uint64_t>());
      [[fallthrough]];
    case OrderedJson::value_t::number_integer:
      return Value(value.get<std::int64_t>(), origin);
    case OrderedJson::value_t::number_float:
      return Value(value.get<double>(), origin);
    case OrderedJson::value_t::array: {
      jinja::List items;
      for (std::size_t i = 0; i < value.size(); ++i) {
        items.push_back(
            convert(value[i], {source.message, join_path(source.field, std::to_string(i))}));
      }
      return Value::list(std::move(items), jinja::ListKind::kList, origin);
    }
    case OrderedJson::value_t::object: {
      jinja::Dict items;
      for (const auto& [key, item] : value.items()) {
        // A key is text that the user chose, too: it carries the object's origin.
        items.emplace_back(jinja::Text(key, origin),
                           convert(item, {source.message, join_path(source.field, key)}));
      }
      return Value::dict(std::move(items), origin);
    }
    default:
      return Value(jinja::None{}, origin);
  }
}

jinja::Value ChatInput::add_messages(const OrderedJson& messages) {
  HONE_CHECK(DataError, messages.is_array(), "messages: expected an array, found {}",
             messages.type_name());
  const auto origin = static_cast<jinja::Origin>(sources_.size());
  sources_.push_back({-1, "messages"});
  jinja::List items;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const OrderedJson& message = messages[i];
    HONE_CHECK(DataError,
               message.is_object() && message.contains("role") && message["role"].is_string(),
               "messages[{}]: expected an object with a \"role\", found {}", i,
               message.is_object() ? "one without" : message.type_name());
    items.push_back(convert(message, {static_cast<int>(i), ""}));
  }
  return jinja::Value::list(std::move(items), jinja::ListKind::kList, origin);
}

jinja::Value ChatInput::add_value(const OrderedJson& value, const std::string& name) {
  return convert(value, {-1, name});
}

}  // namespace hone::tokenizer
