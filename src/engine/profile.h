#pragma once

#include <cstdint>
#include <filesystem>

namespace hone::engine {

/// A trace of some steps in Chrome's format, for Perfetto or chrome://tracing: LibTorch's
/// operations on every thread (and the kernels of a GPU), and the phases of PhaseClock around them.
/// Beside it a table of what each operation took in each phase (see OperationTime), whose dearest
/// rows are told.
class Profile {
 public:
  /// Where a run's trace lies.
  static constexpr const char* kFileName = "trace.json";
  static constexpr const char* kTableName = "profile.json";

  /// @param steps how many are traced; 0: none
  /// @param first_step the run's first one from here, which is left out where there are others: it
  ///        warms up
  Profile(std::filesystem::path run_folder, std::int64_t first_step, std::int64_t total_steps,
          std::int64_t steps);
  /// What was begun is let go of.
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void begin_step(std::int64_t step);
  /// After the last of its steps it writes both. @throws IoError
  void end_step(std::int64_t step);

 private:
  std::filesystem::path run_folder_;
  std::int64_t first_, last_;
  bool is_on_ = false;
};

}  // namespace hone::engine
