#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace hone {

/// Exit codes that scripts and schedulers rely on (CLI.md).
enum class ExitCode : int { kDone = 0, kFailed = 1, kWrongInput = 2, kRunAgain = 75 };

/// The base of everything hone throws. A message says what is wrong, where (file, line, row, key),
/// what was expected, what was found, and what to do about it.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// What the process should exit with when this reaches `main`.
  virtual ExitCode exit_code() const noexcept { return ExitCode::kFailed; }
};

/// A fault of what the user gave: the remedy is in the user's hands, and a retry will not help.
class InputError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kWrongInput; }
};

/// A wrong key, value or combination in YAML or on the command line.
class ConfigError : public InputError {
 public:
  using InputError::InputError;
};

/// A file or row whose content is not what its format promises.
class DataError : public InputError {
 public:
  using InputError::InputError;
};

/// Tensors whose sizes do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// The operating system refused: no such file, no space, no permission.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A checkpoint that is incomplete, altered, or of another run.
class CheckpointError : public Error {
 public:
  using Error::Error;
};

/// A rank was lost, a collective timed out, or the launch environment is inconsistent.
class DistributedError : public Error {
 public:
  using Error::Error;
};

/// A broken invariant of hone itself: never the user's fault.
class InternalError : public Error {
 public:
  using Error::Error;
};

namespace detail {
[[noreturn]] void throw_internal(const char* file, int line, std::string_view condition,
                                 std::string_view message);
}  // namespace detail

}  // namespace hone

/// Refuses what a caller or user gave. Holds in release builds.
/// HONE_CHECK(DataError, ids.size() > 0, "{}:{}: row has no tokens", file, line);
#define HONE_CHECK(ErrorType, condition, ...)    \
  do {                                           \
    if (!(condition)) [[unlikely]]               \
      throw ErrorType(fmt::format(__VA_ARGS__)); \
  } while (false)

/// States an invariant of hone's own. Holds in release builds.
#define HONE_ASSERT(condition, ...)                                  \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::hone::detail::throw_internal(__FILE__, __LINE__, #condition, \
                                     ::fmt::format("" __VA_ARGS__)); \
  } while (false)
