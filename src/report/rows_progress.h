#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "report/progress.h"

namespace hone::report {

/// How far the reading of rows is.
struct RowsStatus {
  std::int64_t rows = 0, bytes = 0, total_bytes = 0;
};

/// "120000 rows  41 %  35100 rows/s  12.3 MB/s  1m02s left", by `seconds` since the first row.
std::string format_rows(const RowsStatus& status, double seconds);

/// The progress of tokenising: on a terminal one line at the bottom, elsewhere a plain line about
/// every ten seconds. What is done within a second shows nothing.
class RowsProgress {
 public:
  explicit RowsProgress(Screen screen = terminal());
  ~RowsProgress();
  RowsProgress(const RowsProgress&) = delete;
  RowsProgress& operator=(const RowsProgress&) = delete;

  void update(const RowsStatus& status);

  /// Takes the status line away, and leaves a plain line where anything was shown.
  void finish();

 private:
  std::string line() const;

  Screen screen_;
  RowsStatus last_;
  double begin_s_, shown_s_;
  bool was_shown_ = false;
};

}  // namespace hone::report
