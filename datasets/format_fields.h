#pragma once

#include <string>
#include <string_view>

#include "datasets/record.h"

namespace hone::datasets {

// Look-ups for row formats. A container of text (CSV) has every value as text, so numbers, booleans
// and lists are taken from text as well. All of them throw DataError naming the key, what was
// expected and what was found.

/// The value under a key; null pointer where there is none, or null.
const Row* find_value(const Row& row, const char* key);

/// @throws DataError where there is no value, or it is no text
const std::string& text_at(const Row& row, const char* key);

/// The text under a key; "" where there is none.
std::string text_or_empty(const Row& row, const char* key);

/// A list, or a text that holds one as JSON. An empty list where there is no value, or "".
Row list_or_empty(const Row& row, const char* key);

/// The same of a value that has to be there and to hold something.
Row list_at(const Row& row, const char* key);

double number_at(const Row& row, const char* key);
bool flag_at(const Row& row, const char* key);
/// What "score" says: a number, or a list of numbers, one for each attribute, null where the row
/// has none.
Row scores_at(const Row& row);

/// A text, or a list of messages in OpenAI's form: [{"role", "content"}, …].
struct Turns {
  bool is_text = true;
  Row value;  ///< a text or a list
};
Turns turns_at(const Row& row, const char* key);

/// A message of that role and content.
Row message_of(std::string_view role, std::string content);

/// Moves "tools" of a row, where there are some, into a record's value as a list.
void move_tools(Row& row, Row& value);

/// The same of formats whose tools may be bare functions: these are wrapped as OpenAI has them,
/// {"type": "function", "function": …}.
void move_functions(Row& row, Row& value);

/// Moves what of `row` is not among `keys` to the end of `value`.
void move_others(Row& row, std::initializer_list<const char*> keys, Row& value);

}  // namespace hone::datasets
