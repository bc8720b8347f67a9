#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "report/metrics_log.h"

namespace hone::report {

/// Scalars in the event files that TensorBoard reads.
/// @source TensorBoard's event.proto and summary.proto; records as tensorflow's record_writer
class TensorBoardLog {
 public:
  /// Begins a file of its own in `folder`: a run that resumes adds one.
  /// @param last_step the step that the run continues after: TensorBoard drops what earlier files
  ///        say of the steps after it. 0 for a run from the start
  /// @throws IoError
  TensorBoardLog(const std::filesystem::path& folder, std::int64_t last_step);

  /// One scalar for each metric, as f32.
  void append(std::int64_t step, const Metrics& metrics);

 private:
  void write(std::string_view event);

  LineFile file_;
};

/// One record: its length, the data, and a checksum of each.
std::string tensorboard_record(std::string_view data);

/// CRC-32C (Castagnoli), reflected, as RFC 3720 has it.
std::uint32_t crc32c(std::string_view data);

}  // namespace hone::report
