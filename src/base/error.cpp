#include "base/error.h"

namespace hone::detail {

void throw_internal(const char* file, int line, std::string_view condition,
                    std::string_view message) {
  throw InternalError(fmt::format(
      "{}:{}: broken invariant `{}`{}{}. This is a bug in hone; please report it with the command "
      "and config.",
      file, line, condition, message.empty() ? "" : ": ", message));
}

}  // namespace hone::detail
