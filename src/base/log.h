#pragma once

#include <fmt/format.h>

#include <string_view>

namespace hone::log {

/// How much is said on stderr. `kQuiet` keeps warnings and errors.
enum class Level { kQuiet, kNormal, kVerbose };

void set_level(Level level);
Level level();

/// Writes one line to stderr, after clearing a progress line if one is drawn there.
void write_line(std::string_view prefix, std::string_view text);

/// Stdout carries results; everything said to a person goes through these, to stderr.
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (level() != Level::kQuiet) write_line("", fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void verbose(fmt::format_string<Args...> format, Args&&... args) {
  if (level() == Level::kVerbose) write_line("", fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write_line("warning: ", fmt::format(format, std::forward<Args>(args)...));
}

void error(std::string_view text);

/// The one line at the bottom of a terminal that progress redraws. Empty removes it.
/// Ignored when stderr is not a terminal.
void set_status_line(std::string_view text);

/// True where stderr is a terminal that can redraw a line.
bool is_interactive();

}  // namespace hone::log
