#include "datasets/columns.h"

#include <utility>
#include <vector>

#include "base/error.h"
#include "config/problems.h"
#include "datasets/row_format.h"

namespace hone::datasets {
namespace {

/// The value of a column, by its whole name first, then from object to object; null where there is
/// none.
Row* find_column(Row& row, const std::string& name) {
  if (const auto whole = row.find(name); whole != row.end()) return &*whole;
  Row* at = &row;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const auto part = at->is_object() ? at->find(name.substr(begin, end - begin)) : at->end();
    if (part == at->end()) return nullptr;
    at = &*part;
    begin = end + 1;
  }
  return at;
}

[[noreturn]] void refuse(const Row& row, const std::string& key, const std::string& column) {
  std::vector<std::string> names;
  for (const auto& item : row.items()) {
    names.push_back(item.key());
    if (item.value().is_object())
      for (const auto& inner : item.value().items())
        names.push_back(item.key() + "." + inner.key());
  }
  throw DataError(
      fmt::format("data.columns.{}: the row has no column \"{}\"{}; it has {}. Where a "
                  "row has nothing there, write null",
                  key, column, config::did_you_mean(column, names), keys_of(row)));
}

}  // namespace

Row rename_columns(Row row, const Columns& columns) {
  if (columns.empty()) return row;
  Row renamed = Row::object();
  for (const auto& [key, column] : columns) {
    const Row* value = find_column(row, column);
    if (value == nullptr) refuse(row, key, column);
    renamed[key] = *value;  // a column may serve two keys
  }
  for (const auto& [key, column] : columns) row.erase(column);
  for (auto& [key, value] : row.items())
    if (!renamed.contains(key)) renamed[key] = std::move(value);
  return renamed;
}

}  // namespace hone::datasets
