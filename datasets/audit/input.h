#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/record.h"
#include "datasets/row_format.h"

namespace hone::datasets::audit {

/// Files of rows, and how to read them.
struct Input {
  std::vector<std::string> files;
  std::string format = "auto";  ///< of RowFormat; auto: each file's first row decides
  int threads = 0;              ///< 0: as many as the machine runs at once
  Columns columns = {};         ///< as data.columns
};

/// One row on its way through a pass.
struct InputRow {
  std::int64_t index = 0;   ///< over all files, from 0; unreadable rows count
  std::int32_t file = 0;    ///< place in Input::files
  std::int64_t number = 0;  ///< in its file: the line of a JSONL file, else the row, from 1
  std::string line;         ///< as it stands in a container of lines; "" in others
  Row value;                ///< its columns
  std::optional<Record> record;
  std::string problem;  ///< why there is no record, with place and remedy; "" where there is one
};

/// Rows that are read before they are worked on; their texts are all that a pass keeps of them.
inline constexpr std::size_t kBlockRows = 1024;
inline constexpr std::size_t kBlockBytes = std::size_t{16} << 20;

/// What a pass does with rows.
struct Pass {
  /// False: the row is passed over without being parsed. Empty: all are wanted.
  std::function<bool(std::int64_t index)> wants = {};
  /// On several threads at once, in no order.
  /// @param place below kBlockRows; no other row has it until this one was taken
  std::function<void(InputRow& row, std::size_t place)> work = {};
  /// On the calling thread, in the order of the rows.
  std::function<void(InputRow& row, std::size_t place)> take;
};

/// Reads every row once. Results do not depend on the number of threads. A row that cannot be read
/// has a problem and no record.
/// @return rows in all
/// @throws DataError where there is no such file
std::int64_t for_each_row(const Input& input, const Pass& pass);

}  // namespace hone::datasets::audit
