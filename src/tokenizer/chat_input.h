#pragma once

#include <string>
#include <vector>

#include "tokenizer/chat_template.h"
#include "tokenizer/jinja/value.h"

namespace hone::tokenizer {

/// Turns input JSON into values for a template, and remembers what each origin number stands for.
class ChatInput {
 public:
  struct Source {
    int message;
    std::string field;
  };

  /// @param messages an array of objects
  /// @throws DataError naming the message that is not an object with a string "role"
  jinja::Value add_messages(const OrderedJson& messages);
  /// A value outside the messages. @param name its field
  jinja::Value add_value(const OrderedJson& value, const std::string& name);

  const Source& source(jinja::Origin origin) const { return sources_[origin]; }

 private:
  jinja::Value convert(const OrderedJson& value, Source source);

  std::vector<Source> sources_{{-1, ""}};  // [0] is the template itself
};

}  // namespace hone::tokenizer
