#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hone::test {

/// What a finished program left.
struct Finished {
  int exit_code = -1;  ///< −signal where a signal ended it
  std::string out, err;
};

/// The program's path.
std::string hone_binary();

/// Starts `hone` (build/hone) with arguments and waits for its end; nothing on stdin.
Finished run_hone(const std::vector<std::string>& arguments);

/// The same with a text on stdin.
Finished run_hone_with_input(const std::vector<std::string>& arguments, const std::string& input);

/// The same, but sends `signal` once `ready()` says so, where it still runs then.
Finished run_hone_and_signal(const std::vector<std::string>& arguments,
                             const std::function<bool()>& ready, int signal);

/// Any program found on PATH.
Finished run_program(const std::vector<std::string>& command);

}  // namespace hone::test
