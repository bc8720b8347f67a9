#include "cli/rows.h"

namespace hone::cli {

std::optional<PlacedRow> RowSource::next() {
  io::RawRow raw;
  if (!reader_->next(raw)) return std::nullopt;
  const std::int64_t number = raw.number;
  return PlacedRow{number, reader_->parse(std::move(raw))};
}

std::string RowSource::where(const PlacedRow& row) const { return reader_->where(row.number); }

std::string RowSource::text(const PlacedRow& row, const char* key) const {
  HONE_CHECK(DataError, row.value.contains(key) && row.value[key].is_string(),
             "{}: expected a text under `{}`", where(row), key);
  return row.value[key];
}

std::vector<std::int64_t> RowSource::ids(const PlacedRow& row, const char* key) const {
  std::vector<std::int64_t> ids;
  const bool is_list = row.value.contains(key) && row.value[key].is_array();
  HONE_CHECK(DataError, is_list, "{}: expected a list of token ids under `{}`", where(row), key);
  for (const auto& id : row.value[key]) {
    HONE_CHECK(DataError, id.is_number_integer() && id >= 0 && id <= INT32_MAX,
               "{}: `{}` holds {}, which is no token id", where(row), key, id.dump());
    ids.push_back(id);
  }
  return ids;
}

std::vector<std::int64_t> tokens_of(const PlacedRow& row, const RowSource& rows,
                                    const engine::Text& text) {
  return rows.at(row, [&]() -> std::vector<std::int64_t> {
    if (row.value.contains("input_ids")) return rows.ids(row, "input_ids");
    if (row.value.contains("messages"))
      return engine::encode_conversation(row.value, text, /*add_generation_prompt=*/false);
    HONE_CHECK(DataError, row.value.contains("text"),
               "{}: expected `input_ids`, `text` or `messages`", rows.where(row));
    const auto ids = text.require_tokenizer("a row of `text`")
                         .encode(rows.text(row, "text"), {.add_special_tokens = true})
                         .ids;
    return {ids.begin(), ids.end()};
  });
}

}  // namespace hone::cli
